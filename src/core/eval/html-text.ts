/** HTML that is finished: everything else is escaped before it becomes a part of it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What the characters that mark up HTML and XML are written as. */
export const MARKUP_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
// What browsers make of these is not what was written; marks that turn the direction of writing could hide text.
const HIDDEN = /(?![\t\n\r])\p{Cc}|[\u202a-\u202e\u2066-\u2069\p{Cs}]/gu;

/** A template of HTML: values are text unless they are Markup; lists are joined, null and false are nothing. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Markup {
  return new Markup(strings.reduce((text, string, index) => text + toText(values[index - 1]) + string));
}

function toText(value: unknown): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(toText).join('');
  return String(value)
    .replaceAll(HIDDEN, '\ufffd')
    .replaceAll(/[&<>"']/g, (character) => MARKUP_ESCAPES[character] ?? '');
}
