import type { VNode } from 'preact';
import type { ApiFailure } from '../api.ts';
import { html } from '../html.ts';
import type { Choice } from './controls.ts';

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** The field's name in the API: what the server says of it marks this field. */
  name: string;
  failure?: ApiFailure | null;
  note?: string;
}

/** Whether the server's refusal is about this field, or a part of it. */
function isRefused({ name, failure }: Pick<FieldProps, 'name' | 'failure'>): boolean {
  const param = failure?.param ?? null;
  return param !== null && (param === name || param.startsWith(`${name}.`));
}

/** A text of a form. `suggestions` are offered, others are taken too; `attributes` go to the input as they are. */
export function TextField(
  props: FieldProps & { suggestions?: readonly string[]; attributes?: Record<string, unknown> },
): VNode {
  const { label, value, onChange, name, note, suggestions, attributes = {} } = props;
  const noteId = `field-${name}-note`;
  const listId = `field-${name}-list`;
  return html`<div class="field"><label for=${`field-${name}`}>${label}</label>
    <input class="input" id=${`field-${name}`} autocomplete="off" spellcheck=${false} value=${value} list=${suggestions ? listId : undefined}
      aria-invalid=${isRefused(props) ? 'true' : undefined} aria-describedby=${note ? noteId : undefined} ...${attributes}
      onInput=${(event: Event) => onChange((event.currentTarget as HTMLInputElement).value)} />
    ${suggestions ? html`<datalist id=${listId}>${suggestions.map((item) => html`<option key=${item} value=${item}></option>`)}</datalist>` : null}
    ${note ? html`<span class="small faint" id=${noteId}>${note}</span>` : null}</div>`;
}

/** One of a few choices of a form. */
export function ChoiceField(props: FieldProps & { choices: readonly Choice[] }): VNode {
  const { label, value, onChange, name, note, choices } = props;
  const noteId = `field-${name}-note`;
  return html`<div class="field"><label for=${`field-${name}`}>${label}</label>
    <select class="select" id=${`field-${name}`} value=${value} aria-invalid=${isRefused(props) ? 'true' : undefined} aria-describedby=${note ? noteId : undefined}
      onChange=${(event: Event) => onChange((event.currentTarget as HTMLSelectElement).value)}>
      ${choices.map((choice) => html`<option key=${choice.value} value=${choice.value} selected=${choice.value === value}>${choice.label}</option>`)}
    </select>
    ${note ? html`<span class="small faint" id=${noteId}>${note}</span>` : null}</div>`;
}
