import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { PriceCreated, PriceObject } from '../../../../protocol/price.ts';
import { ApiFailure, send } from '../../api.ts';
import { html } from '../../html.ts';
import { useAction } from '../../parts/action.ts';
import { Dialog } from '../../parts/dialog.ts';
import { TextField } from '../../parts/fields.ts';
import { Failure } from '../../parts/states.ts';
import { bodyOf, cardOf, type Form, formOf, keptOf } from './price-form.ts';
import { RateFields } from './rate-fields.ts';

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
  /** Which card is shown: a mode, of the base price or of a context tier. */
  const [card, setCard] = useState('standard');
  /** The server's answer to a dry run of exactly this form. */
  const [checked, setChecked] = useState<PriceCreated | null>(null);
  const action = useAction();
  const kept = keptOf(start?.price ?? null);
  const change = (edit: (form: Form) => Form) => {
    setForm(edit);
    setChecked(null);
  };
  const field = (name: string, label: string, attributes: object = {}) =>
    html`<${TextField} label=${label} name=${name} value=${form[name] ?? ''} failure=${action.failure} attributes=${attributes}
      onChange=${(value: string) => change((old) => ({ ...old, [name]: value }))} />`;
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await action.run(async () => {
      try {
        const answer = await send<PriceCreated>('POST', '/v1/prices', {
          ...bodyOf(form, kept),
          dry_run: checked === null,
        });
        if (checked === null) setChecked(answer);
      } catch (error) {
        // What is refused is shown, on whichever card it stands.
        if (error instanceof ApiFailure) setCard((shown) => cardOf(error.param) ?? shown);
        throw error;
      }
    });
    if (!isDone || checked === null) return;
    onStated();
    onClose();
  };
  const isKnown = start?.price != null;
  return html`<${Dialog} title="State a price" onClose=${onClose}>
    <form class="editor" onSubmit=${submit}>
      <div class="filters">
        ${field('provider', 'Provider', { required: true, readonly: isKnown, placeholder: 'openai' })}
        ${field('model', 'Model', { required: true, readonly: isKnown, placeholder: 'gpt-4o-mini' })}
        ${field('from', 'From (UTC day)', { required: true, type: 'date' })}
        ${field('region', 'Region', { placeholder: 'any; several with commas' })}
      </div>
      <${RateFields} form=${form} card=${card} failure=${action.failure} onCard=${setCard} onChange=${change} />
      ${field('source', 'Source', { maxlength: 500, placeholder: 'contract of 1 March' })}
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      ${checked ? html`<${Checked} price=${checked} kept=${Object.keys(kept)} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>${checked === null ? 'Check the price' : 'State the price'}</button></div>
    </form></${Dialog}>`;
}

function Checked({ price, kept }: { price: PriceCreated; kept: readonly string[] }): VNode {
  return html`<div class=${`notice ${price.warnings.length > 0 ? 'warn' : 'good'}`} role="status">
    <ul class="problems">
      <li>${price.replaces === null ? 'No price holds on that day: this is the first.' : `Takes the place of ${price.replaces} from ${price.from} on. What was priced before stays as it was.`}</li>
      ${kept.length > 0 ? html`<li>Kept from the price before: ${kept.join(', ')}.</li>` : null}
      ${price.warnings.map((warning) => html`<li key=${warning}>${warning}</li>`)}
      <li>A stated price cannot be changed once it has begun.</li>
    </ul></div>`;
}
