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
  const kept = keptOf(start?.price ?? null);
  const field = (name: string, label: string, attributes: object = {}) =>
    html`<${TextField} label=${label} name=${name} value=${form[name] ?? ''} failure=${action.failure} attributes=${attributes}
      onChange=${(value: string) => {
        setForm((old) => ({ ...old, [name]: value }));
        setChecked(null);
      }} />`;
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await action.run(async () => {
      const answer = await send<PriceCreated>('POST', '/v1/prices', {
        ...bodyOf(form, kept),
        dry_run: checked === null,
      });
      if (checked === null) setChecked(answer);
    });
    if (!isDone || checked === null) return;
    onStated();
    onClose();
  };
  return html`<${Dialog} title="State a price" narrow onClose=${onClose}>
    <form class="editor" onSubmit=${submit}>
      ${field('provider', 'Provider', { required: true, readonly: start?.price != null, placeholder: 'openai' })}
      ${field('model', 'Model', { required: true, readonly: start?.price != null, placeholder: 'gpt-4o-mini' })}
      ${field('from', 'From (UTC day)', { required: true, type: 'date' })}
      <fieldset class="fieldset"><legend>USD per million tokens</legend>
        ${RATES.map(([name, label]) => html`<div key=${name}>${field(name, label, { inputmode: 'decimal', required: name === 'standard.input' })}</div>`)}
      </fieldset>
      ${field('source', 'Source', { maxlength: 500, placeholder: 'contract of 1 March' })}
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      ${checked ? html`<${Checked} price=${checked} kept=${kept} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>${checked === null ? 'Check the price' : 'State the price'}</button></div>
    </form></${Dialog}>`;
}

function Checked({ price, kept }: { price: PriceCreated; kept: Kept }): VNode {
  const names = Object.entries(kept).flatMap(([name, value]) =>
    name === 'standard' || name === 'batch' ? Object.keys(value as object).map((rate) => `${name} ${rate}`) : [name],
  );
  return html`<div class=${`notice ${price.warnings.length > 0 ? 'warn' : 'good'}`} role="status">
    <ul class="problems">
      <li>${price.replaces === null ? 'No price holds on that day: this is the first.' : `Takes the place of ${price.replaces} from ${price.from} on. What was priced before stays as it was.`}</li>
      ${names.length > 0 ? html`<li>Kept from the price before: ${names.join(', ').replaceAll('_', ' ')}.</li>` : null}
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

/** What a successor keeps of a price that the form does not show, so that nothing is left without a price by it. */
type Kept = Record<string, unknown>;

function keptOf(price: PriceObject | null): Kept {
  if (price === null) return {};
  const { region, hours, aliases, flex, priority, fast } = price;
  // Cards that a tier does not have are null in answers, and left out in what is stated.
  const tiers = price.tiers.map((tier) =>
    Object.fromEntries(Object.entries(tier).filter(([, value]) => value !== null)),
  );
  const all = {
    region,
    hours,
    aliases,
    flex,
    priority,
    fast,
    tiers,
    standard: hidden(price, 'standard'),
    batch: hidden(price, 'batch'),
  };
  const isEmpty = (value: unknown) => value === null || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value)));
}

/** The rates of a card that the form does not show; null when it shows all. */
function hidden(price: PriceObject, mode: 'standard' | 'batch'): Record<string, string> | null {
  const rates = Object.entries(price[mode] ?? {}).filter(
    ([rate]) => !RATES.some(([name]) => name === `${mode}.${rate}`),
  );
  return rates.length === 0 ? null : Object.fromEntries(rates);
}

/** The form as the API takes it: empty rates are left out, and a mode without rates has no card. */
function bodyOf(form: Form, kept: Kept): object {
  const { standard, batch } = kept as Record<string, Record<string, string> | undefined>;
  const cards: Record<string, Record<string, string>> = { ...(standard && { standard }), ...(batch && { batch }) };
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
    ...kept,
    ...cards,
    ...(source?.trim() && { source: source.trim() }),
  };
}
