import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { PriceCreated, PriceObject } from '../../../../protocol/price.ts';
import { send } from '../../api.ts';
import { nowSeconds } from '../../format.ts';
import { html } from '../../html.ts';
import { useAction } from '../../parts/action.ts';
import { Dialog } from '../../parts/dialog.ts';
import { TextField } from '../../parts/fields.ts';
import { Failure } from '../../parts/states.ts';

const DAY = 86_400;

/** The rates that most prices have; the API takes the others. */
const RATES = [
  ['standard.input', 'Input'],
  ['standard.output', 'Output'],
  ['standard.cached_input', 'Cached input'],
  ['batch.input', 'Input in batches'],
  ['batch.output', 'Output in batches'],
] as const;

type Form = Record<string, string>;

/** What a price is stated from: a known one whose successor it becomes, or a name alone. */
export interface PriceStart {
  provider: string;
  model: string;
  price: PriceObject | null;
}

/** States a dated price. The server checks it first, and what it would replace is shown before it is stated. */
export function StatePrice({
  start,
  onClose,
  onStated,
}: {
  start: PriceStart | null;
  onClose: () => void;
  onStated: () => void;
}): VNode {
  const [form, setForm] = useState<Form>(() => formOf(start));
  /** The server's answer to a dry run of exactly this form. */
  const [checked, setChecked] = useState<PriceCreated | null>(null);
  const action = useAction();
  const field = (name: string, label: string, attributes: object = {}) =>
    html`<${TextField} label=${label} name=${name} value=${form[name] ?? ''} failure=${action.failure} attributes=${attributes}
      onChange=${(value: string) => {
        setForm((old) => ({ ...old, [name]: value }));
        setChecked(null);
      }} />`;
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await action.run(async () => {
      const answer = await send<PriceCreated>('POST', '/v1/prices', { ...bodyOf(form), dry_run: checked === null });
      if (checked === null) setChecked(answer);
    });
    if (!isDone || checked === null) return;
    onStated();
    onClose();
  };
  return html`<${Dialog} title="State a price" narrow onClose=${onClose}>
    <form class="editor" onSubmit=${submit}>
      ${field('provider', 'Provider', { required: true, placeholder: 'openai' })}
      ${field('model', 'Model', { required: true, placeholder: 'gpt-4o-mini' })}
      ${field('from', 'From (UTC day)', { required: true, type: 'date' })}
      <fieldset class="fieldset"><legend>USD per million tokens</legend>
        ${RATES.map(([name, label]) => html`<div key=${name}>${field(name, label, { inputmode: 'decimal', required: name === 'standard.input' })}</div>`)}
      </fieldset>
      ${field('source', 'Source', { maxlength: 500, placeholder: 'contract of 1 March' })}
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      ${checked ? html`<${Checked} price=${checked} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>${checked === null ? 'Check the price' : 'State the price'}</button></div>
    </form></${Dialog}>`;
}

function Checked({ price }: { price: PriceCreated }): VNode {
  return html`<div class=${`notice ${price.warnings.length > 0 ? 'warn' : 'good'}`} role="status">
    <ul class="problems">
      <li>${price.replaces === null ? 'No price holds on that day: this is the first.' : `Takes the place of ${price.replaces} from ${price.from} on. What was priced before stays as it was.`}</li>
      ${price.warnings.map((warning) => html`<li key=${warning}>${warning}</li>`)}
      <li>A stated price cannot be changed once it has begun.</li>
    </ul></div>`;
}

function formOf(start: PriceStart | null): Form {
  const tomorrow = new Date((nowSeconds() + DAY) * 1000).toISOString().slice(0, 10);
  const rates = RATES.map(([name]) => {
    const [mode, rate] = name.split('.') as ['standard' | 'batch', string];
    return [name, start?.price?.[mode]?.[rate] ?? ''];
  });
  const { provider = '', model = '' } = start ?? {};
  return { provider, model, from: tomorrow, source: '', ...Object.fromEntries(rates) };
}

/** The form as the API takes it: empty rates are left out, and a mode without rates has no card. */
function bodyOf(form: Form): object {
  const cards: Record<string, Record<string, string>> = {};
  for (const [name] of RATES) {
    const [mode = '', rate = ''] = name.split('.');
    const price = form[name]?.trim() ?? '';
    if (price !== '') cards[mode] = { ...cards[mode], [rate]: price };
  }
  const { provider, model, from, source } = form;
  return {
    provider: provider?.trim(),
    model: model?.trim(),
    from,
    ...cards,
    ...(source?.trim() && { source: source.trim() }),
  };
}
