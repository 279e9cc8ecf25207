import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { Icon } from './icons.ts';

export interface Choice {
  value: string;
  label: string;
}

/** A few choices side by side. */
export function Segments({
  label,
  value,
  choices,
  onChange,
}: {
  label: string;
  value: string;
  choices: readonly Choice[];
  onChange: (value: string) => void;
}): VNode {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${choices.map(
      (choice) => html`<button type="button" key=${choice.value} aria-pressed=${String(choice.value === value)}
        onClick=${() => onChange(choice.value)}>${choice.label}</button>`,
    )}
  </div>`;
}

/** One of many choices, with its name before it. */
export function Select({
  label,
  value,
  choices,
  onChange,
}: {
  label: string;
  value: string;
  choices: readonly Choice[];
  onChange: (value: string) => void;
}): VNode {
  return html`<label class="inline-field"><span>${label}</span>
    <select class="select" aria-label=${label} value=${value} onChange=${(event: Event) => onChange((event.currentTarget as HTMLSelectElement).value)}>
      ${choices.map((choice) => html`<option key=${choice.value} value=${choice.value} selected=${choice.value === value}>${choice.label}</option>`)}
    </select></label>`;
}

/** A field that acts when its text is final: on Enter, or when it is left. */
export function TextFilter({
  label,
  value,
  placeholder,
  onChange,
  list,
  isLabelHidden = false,
}: {
  label: string;
  value: string;
  placeholder?: string;
  isLabelHidden?: boolean;
  onChange: (value: string) => void;
  list?: readonly string[];
}): VNode {
  // What is being typed outlasts the page's refreshes, which would put `value` back.
  const [draft, setDraft] = useState<string | null>(null);
  const textOf = (event: Event): string => (event.currentTarget as HTMLInputElement).value;
  const act = (event: Event) => {
    setDraft(null);
    onChange(textOf(event).trim());
  };
  const id = `filter-${label.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return html`<label class="field"><span class=${isLabelHidden ? 'hidden' : ''}>${label}</span>
    <input class="input" type="search" autocomplete="off" spellcheck=${false} value=${draft ?? value} placeholder=${placeholder ?? ''}
      list=${list ? `${id}-list` : undefined} onInput=${(event: Event) => setDraft(textOf(event))} onChange=${act} />
    ${list ? html`<datalist id=${`${id}-list`}>${list.map((item) => html`<option key=${item} value=${item}></option>`)}</datalist>` : null}
  </label>`;
}

/** Copies a value that is too long to read. */
export function Copy({ text, what }: { text: string; what: string }): VNode {
  const [done, setDone] = useState(false);
  const copy = async (event: Event) => {
    event.stopPropagation();
    await navigator.clipboard.writeText(text).then(
      () => setDone(true),
      () => undefined,
    );
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="copy" onClick=${copy} aria-label=${`Copy ${what}`} title=${done ? 'Copied' : `Copy ${what}`}>
    <${Icon} name=${done ? 'check' : 'copy'} /></button>`;
}
