import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { KeyLimits, KeyObject } from '../../../../protocol/key.ts';
import { send } from '../../api.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { useAction } from '../../parts/action.ts';
import { Dialog } from '../../parts/dialog.ts';
import { TextField } from '../../parts/fields.ts';
import { Failure } from '../../parts/states.ts';

const LIMITS = {
  requests_per_minute: { label: 'Requests a minute', unit: 'requests/min' },
  tokens_per_minute: { label: 'Tokens a minute', unit: 'tokens/min' },
  concurrent_batches: { label: 'Batches at once', unit: 'batches at once' },
  batches_per_minute: { label: 'Batches a minute', unit: 'batches/min' },
  storage_bytes: { label: 'Bytes stored', unit: 'bytes stored' },
  cache_seconds: { label: 'Seconds that answers are given again', unit: 's that answers are given again' },
} as const;

const NAMES = Object.keys(LIMITS) as (keyof KeyLimits)[];

/** A key's own limits in one line. */
export function limitsOf({ limits }: Pick<KeyObject, 'limits'>): string {
  const set = NAMES.flatMap((name) => {
    const limit = limits[name];
    return limit === null ? [] : [`${formatCount(limit)} ${LIMITS[name].unit}`];
  });
  return set.length === 0 ? 'server’s default' : set.join(', ');
}

/** Changes a key's name and limits. */
export function KeyLimitsDialog({
  apiKey,
  onClose,
  onSaved,
}: {
  apiKey: KeyObject;
  onClose: () => void;
  onSaved: () => void;
}): VNode {
  const [name, setName] = useState(apiKey.name);
  const [limits, setLimits] = useState<Record<string, string>>(
    Object.fromEntries(NAMES.map((limit) => [limit, String(apiKey.limits[limit] ?? '')])),
  );
  const action = useAction();
  const save = async (event: Event) => {
    event.preventDefault();
    const stated = NAMES.map((limit) => [limit, limits[limit] === '' ? null : Number(limits[limit])]);
    const body = { name, limits: Object.fromEntries(stated) };
    const isDone = await action.run(() => send('POST', `/v1/keys/${encodeURIComponent(apiKey.id)}`, body));
    if (!isDone) return;
    onSaved();
    onClose();
  };
  const whole = { type: 'number', min: 1, step: 1, inputmode: 'numeric', placeholder: 'server’s default' };
  return html`<${Dialog} title=${`Key ${apiKey.name}`} narrow onClose=${onClose}>
    <form class="editor" onSubmit=${save}>
      <${TextField} label="Name" name="name" value=${name} onChange=${setName} failure=${action.failure} attributes=${{ required: true, maxlength: 128 }} />
      ${NAMES.map(
        (
          limit,
        ) => html`<${TextField} key=${limit} label=${LIMITS[limit].label} name=${`limits.${limit}`} value=${limits[limit] ?? ''} failure=${action.failure}
          onChange=${(value: string) => setLimits({ ...limits, [limit]: value })} attributes=${whole} />`,
      )}
      <p class="small faint">A limit that is left empty is the server’s default, <code>key_limits</code> of the config. Changes hold from the next request on.</p>
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>Save the key</button></div>
    </form></${Dialog}>`;
}
