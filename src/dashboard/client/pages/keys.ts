import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { KeyObject } from '../../../protocol/key.ts';
import type { Page } from '../../../protocol/page.ts';
import { send, session, withQuery } from '../api.ts';
import { formatCount } from '../format.ts';
import { html } from '../html.ts';
import { Button, useAction } from '../parts/action.ts';
import { Badge } from '../parts/badge.ts';
import { Copy, Select } from '../parts/controls.ts';
import { Confirm, Dialog } from '../parts/dialog.ts';
import { When } from '../parts/figures.ts';
import { Pager } from '../parts/pager.ts';
import { Answer, Empty, Failure } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';

const PAGE_ROWS = 50;
const ROLES = [
  { value: 'user', label: 'user: its tenant only' },
  { value: 'admin', label: 'admin: everything' },
];

/** API keys: who may call, with which limits. */
export function Keys(): VNode {
  const [cursors, setCursors] = useState<string[]>([]);
  const [asks, setAsks] = useState<KeyObject | 'new' | null>(null);
  const list = useQuery<Page<KeyObject>>(withQuery('/v1/keys', { limit: PAGE_ROWS, after: cursors.at(-1) }));
  const action = useAction();
  const revoke = (key: KeyObject) =>
    action.run(async () => {
      setAsks(null);
      await send('POST', `/v1/keys/${encodeURIComponent(key.id)}/revoke`);
      list.reload();
    });
  const columns: Column<KeyObject>[] = [
    {
      name: 'Key',
      kind: 'lead',
      cell: (key) =>
        html`<span class="cell-main">${key.name}</span><div class="cell-sub mono">${key.prefix}… · ${key.id}<${Copy} text=${key.id} what="the key’s id" /></div>`,
    },
    { name: 'Role', cell: (key) => key.role },
    { name: 'Tenant', cell: (key) => key.tenant_id },
    { name: 'Limits', cell: (key) => html`<span class="small">${limitsOf(key)}</span>` },
    { name: 'Created', kind: 'number', cell: (key) => html`<${When} at=${key.created_at} />` },
    {
      name: 'State',
      cell: (key) =>
        key.revoked_at === null
          ? html`<${Badge} tone="good" icon="check">works</${Badge}>`
          : html`<${Badge} tone="idle" icon="stop">revoked</${Badge}>`,
    },
    {
      name: 'Action',
      kind: 'bare',
      cell: (key) =>
        key.revoked_at === null && key.id !== session.value?.key_id
          ? html`<${Button} kind="small danger" onClick=${() => setAsks(key)}>Revoke<span class="hidden"> ${key.name}</span></${Button}>`
          : null,
    },
  ];
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Keys</h1><${Button} kind="primary" onClick=${() => setAsks('new')}>New key</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    <${Answer} query=${list} what="keys" lines=${5}>${(page: Page<KeyObject>) =>
      page.data.length === 0
        ? html`<${Empty} title="No stored keys"><p>The server is called with the operator’s own key so far. Make one for each application, so that its spend can be told apart.</p></${Empty}>`
        : html`<${Table} caption="Keys" columns=${columns} rows=${page.data} rowKey=${(key: KeyObject) => key.id} />
          <${Pager} hasMore=${page.has_more} page=${cursors.length} onNext=${() => setCursors([...cursors, page.last_id ?? ''])} onPrevious=${() => setCursors(cursors.slice(0, -1))} />`}</${Answer}>
    ${asks === 'new' ? html`<${NewKey} onClose=${() => setAsks(null)} onMade=${list.reload} />` : null}
    ${
      asks !== null && asks !== 'new'
        ? html`<${Confirm} title=${`Revoke ${asks.name}?`} verb="Revoke for good" danger onConfirm=${() => revoke(asks)} onClose=${() => setAsks(null)}>
      <p>Whoever uses it is refused from now on, and signed out here. This cannot be undone. Its batches go on.</p></${Confirm}>`
        : null
    }
  </div>`;
}

const LIMITS = {
  requests_per_minute: 'requests/min',
  tokens_per_minute: 'tokens/min',
  concurrent_batches: 'batches at once',
  batches_per_minute: 'batches/min',
  storage_bytes: 'bytes stored',
} as const;

function limitsOf({ limits }: KeyObject): string {
  const set = Object.entries(LIMITS).flatMap(([name, unit]) => {
    const limit = limits[name as keyof typeof LIMITS];
    return limit === null ? [] : [`${formatCount(limit)} ${unit}`];
  });
  return set.length === 0 ? 'server’s default' : set.join(', ');
}

/** Makes a key and shows its secret, once. */
function NewKey({ onClose, onMade }: { onClose: () => void; onMade: () => void }): VNode {
  const [name, setName] = useState('');
  const [role, setRole] = useState('user');
  const [tenant, setTenant] = useState('');
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAction();
  const make = (event: Event) => {
    event.preventDefault();
    void action.run(async () => {
      const made = await send<{ secret: string }>('POST', '/v1/keys', {
        name,
        role,
        ...(tenant !== '' && { tenant_id: tenant }),
      });
      setSecret(made.secret);
      onMade();
    });
  };
  const typed = (set: (value: string) => void) => (event: Event) =>
    set((event.currentTarget as HTMLInputElement).value);
  if (secret !== null) {
    return html`<${Dialog} title="The new key" narrow onClose=${onClose}>
      <p>This is shown once and stored nowhere. Keep it now.</p>
      <p class="code mono" data-secret>${secret}<${Copy} text=${secret} what="the key" /></p></${Dialog}>`;
  }
  return html`<${Dialog} title="New key" narrow onClose=${onClose}>
    <form class="editor" onSubmit=${make}>
      <label class="field"><span>Name</span><input class="input" required maxlength="128" value=${name} onInput=${typed(setName)} /></label>
      <label class="field"><span>Tenant</span><input class="input" pattern="[a-zA-Z0-9_-]{1,64}" placeholder="default" value=${tenant} onInput=${typed(setTenant)} /></label>
      <${Select} label="Role" value=${role} choices=${ROLES} onChange=${setRole} />
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>Make the key</button></div>
    </form></${Dialog}>`;
}
