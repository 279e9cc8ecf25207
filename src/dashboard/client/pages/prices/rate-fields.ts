import type { VNode } from 'preact';
import type { ApiFailure } from '../../api.ts';
import { formatCount, plural } from '../../format.ts';
import { html } from '../../html.ts';
import { Button } from '../../parts/action.ts';
import { Segments, Select } from '../../parts/controls.ts';
import { TextField } from '../../parts/fields.ts';
import { CALL_RATES, type Form, MODES, TOKEN_RATES, tiersOf, withoutTier } from './price-form.ts';

/** The rates of a price, one card at a time: of a mode, for any length of context or above one. */
export function RateFields({
  form,
  card,
  failure,
  onCard,
  onChange,
}: {
  form: Form;
  /** `batch`, `tiers.0.batch`. */
  card: string;
  failure: ApiFailure | null;
  onCard: (card: string) => void;
  onChange: (edit: (form: Form) => Form) => void;
}): VNode {
  const at = card.lastIndexOf('.') + 1;
  const tier = card.slice(0, at);
  const mode = card.slice(at);
  const count = tiersOf(form);
  const tiers = Array.from({ length: count }, (_, index) => {
    const above = form[`tiers.${index}.above_input_tokens`] ?? '';
    return {
      value: `tiers.${index}.`,
      label: /^\d+$/.test(above) ? `above ${formatCount(Number(above))} tokens` : `tier ${index + 1}`,
    };
  });
  const filled = (name: string) =>
    Object.entries(form).filter(([field, value]) => field.startsWith(`${tier}${name}.`) && value.trim() !== '').length;
  const modes = MODES.map((name) => ({ value: name, label: filled(name) === 0 ? name : `${name} (${filled(name)})` }));
  const field = (name: string, label: string, attributes: object = {}) =>
    html`<div key=${name}><${TextField} label=${label} name=${name} value=${form[name] ?? ''} failure=${failure} attributes=${{ inputmode: 'decimal', ...attributes }}
      onChange=${(value: string) => onChange((old) => ({ ...old, [name]: value }))} /></div>`;
  const addTier = () => {
    onChange((old) => ({ ...old, [`tiers.${count}.above_input_tokens`]: '' }));
    onCard(`tiers.${count}.standard`);
  };
  const removeTier = () => {
    onChange((old) => withoutTier(old, Number(tier.split('.')[1])));
    onCard(mode);
  };
  const isFirst = card === 'standard';
  return html`<div class="controls">
      <${Segments} label="Mode" value=${mode} choices=${modes} onChange=${(value: string) => onCard(`${tier}${value}`)} />
      <${Select} label="context" value=${tier} choices=${[{ value: '', label: 'any length' }, ...tiers]} onChange=${(value: string) => onCard(`${value}${mode}`)} />
      <${Button} kind="small" onClick=${addTier}>Add a context tier</${Button}>
      ${tier === '' ? null : html`<${Button} kind="small" onClick=${removeTier}>Remove this tier</${Button}>`}
    </div>
    ${tier === '' ? null : field(`${tier}above_input_tokens`, 'Above input tokens', { inputmode: 'numeric', placeholder: '200000' })}
    <fieldset class="fieldset"><legend>USD per million tokens, ${mode}${tier === '' ? '' : `, ${tiers.find(({ value }) => value === tier)?.label ?? ''}`}</legend>
      <div class="filters">${TOKEN_RATES.map(([rate, label]) => field(`${card}.${rate}`, label, { required: isFirst && (rate === 'input' || rate === 'output') }))}</div>
    </fieldset>
    <fieldset class="fieldset"><legend>USD per call</legend>
      <div class="filters">${CALL_RATES.map(([rate, label]) => field(`${card}.${rate}`, label))}</div>
    </fieldset>
    <p class="small faint">What is left empty has no price: cached input and reasoning then cost what input and output cost, the rest is counted as unpriced. Embeddings have an output of 0. ${
      count > 0 ? `${plural(count, 'context tier')}: above it, all tokens of the request have its rates.` : ''
    }</p>`;
}
