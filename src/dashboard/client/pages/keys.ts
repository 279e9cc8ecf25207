import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { KeyObject } from '../../../protocol/key.ts';
import type { Page } from '../../../protocol/page.ts';
import { send, session, withQuery } from '../api.ts';
import { html } from '../html.ts';
import { Button, useAction } from '../parts/action.ts';
import { Badge } from '../parts/badge.ts';
import { Copy } from '../parts/controls.ts';
import { Confirm } from '../parts/dialog.ts';
import { When } from '../parts/figures.ts';
import { Pager } from '../parts/pager.ts';
import { Answer, Empty, Failure } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { chosenTenant, tenantQuery } from '../tenant.ts';
import { KeyLimitsDialog, limitsOf } from './keys/limits.ts';
import { NewKey } from './keys/new-key.ts';

const PAGE_ROWS = 50;

/** API keys: who may call, with which limits. */
export function Keys(): VNode {
  const tenant = chosenTenant.value;
  const [paged, setPaged] = useState<{ tenant: string; cursors: string[] }>({ tenant, cursors: [] });
  // The keys of another tenant begin at their first page.
  const cursors = paged.tenant === tenant ? paged.cursors : [];
  const setCursors = (next: string[]) => setPaged({ tenant, cursors: next });
  const [asks, setAsks] = useState<{ what: 'new' } | { what: 'edit' | 'revoke'; key: KeyObject } | null>(null);
  const list = useQuery<Page<KeyObject>>(
    withQuery('/v1/keys', { limit: PAGE_ROWS, after: cursors.at(-1), ...tenantQuery() }),
  );
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
        key.revoked_at !== null
          ? null
          : html`<div class="row-actions"><${Button} kind="small" onClick=${() => setAsks({ what: 'edit', key })}>Edit<span class="hidden"> ${key.name}</span></${Button}>
            ${key.id === session.value?.key_id ? null : html`<${Button} kind="small danger" onClick=${() => setAsks({ what: 'revoke', key })}>Revoke<span class="hidden"> ${key.name}</span></${Button}>`}</div>`,
    },
  ];
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Keys</h1><${Button} kind="primary" onClick=${() => setAsks({ what: 'new' })}>New key</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    <${Answer} query=${list} what="keys" lines=${5}>${(page: Page<KeyObject>) =>
      page.data.length === 0
        ? html`<${Empty} title=${tenant === '*' ? 'No stored keys' : `No stored keys of ${tenant}`}><p>The server is called with the operator’s own key so far. Make one for each application, so that its spend can be told apart.</p></${Empty}>`
        : html`<${Table} caption="Keys" columns=${columns} rows=${page.data} rowKey=${(key: KeyObject) => key.id} />
          <${Pager} hasMore=${page.has_more} page=${cursors.length} onNext=${() => setCursors([...cursors, page.last_id ?? ''])} onPrevious=${() => setCursors(cursors.slice(0, -1))} />`}</${Answer}>
    ${asks?.what === 'new' ? html`<${NewKey} onClose=${() => setAsks(null)} onMade=${list.reload} />` : null}
    ${asks?.what === 'edit' ? html`<${KeyLimitsDialog} apiKey=${asks.key} onClose=${() => setAsks(null)} onSaved=${list.reload} />` : null}
    ${
      asks?.what === 'revoke'
        ? html`<${Confirm} title=${`Revoke ${asks.key.name}?`} verb="Revoke for good" danger onConfirm=${() => revoke(asks.key)} onClose=${() => setAsks(null)}>
      <p>Whoever uses it is refused from now on, and signed out here. This cannot be undone. Its batches go on.</p></${Confirm}>`
        : null
    }
  </div>`;
}
