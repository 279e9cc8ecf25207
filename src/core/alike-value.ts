import { asciiBytes, type JsonCursor } from './json-cursor.ts';
import type { Picked } from './json-pick.ts';
import { KnownBytes } from './text-run.ts';

/** Forms that are known at once: answers with and without what is not always counted. */
const FORMS_MAX = 4;
/** Longer texts are not worth keeping. */
const LENGTH_MAX = 2048;
/** What learning a form costs, in values of a known one: where none come again, none are learnt after a while. */
const LEARN_COST = 16;
const CREDIT_MAX = 64;

/** JSON as it is mostly written, ASCII alone. */
const PLAIN = /^[ -~]*$/;
/** A string, which is passed, or a number. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[-\d][^,\]}]*/g;
const WHOLE = /^(?:0|[1-9]\d{0,14})$/;

type Container = Record<string, unknown>;

/** An object in a form, with the place in which it stands in an earlier one. */
interface Node {
  source: object;
  parent: number;
  key: string;
}

/** What values have in common that differ in their numbers alone. */
interface Form {
  /** What stands before, between and behind the numbers. */
  texts: KnownBytes[];
  nodes: Node[];
  /** The copies of them that were made last: room for the next ones. */
  copies: Container[];
  /** The object and the key of each number, and what it was when the form was learnt. */
  slots: { node: number; key: string; value: number }[];
}

/**
 * An object that line after line has in the same words, with other whole numbers: a usage. One of a known form is compared
 * with it byte by byte, and neither parsed nor gone over token by token.
 */
export class AlikeValue implements Picked {
  private from = 0;
  private to = 0;
  /** The form of the value just read; null when it is of none that is known. */
  private form: Form | null = null;
  private readonly numbers: number[] = [];
  /** The one met last comes first. */
  private readonly forms: Form[] = [];
  private credit = CREDIT_MAX;

  clear(): void {
    this.to = 0;
    this.form = null;
  }

  read(json: JsonCursor, depth: number): boolean {
    json.next();
    this.from = json.place;
    this.form = this.known(json);
    if (this.form === null && !json.value(depth)) return false;
    this.to = json.place;
    return true;
  }

  /** The value; undefined where there is none. */
  value(json: JsonCursor): unknown {
    if (this.to === 0) return undefined;
    if (this.form !== null) return made(this.form, this.numbers);
    const text = json.textAt(this.from, this.to);
    const value = JSON.parse(text) as unknown;
    this.learn(text, value);
    return value;
  }

  private known(json: JsonCursor): Form | null {
    const { forms } = this;
    for (let index = 0; index < forms.length; index++) {
      const form = forms[index] as Form;
      if (!this.fits(json, form)) {
        json.goTo(this.from);
        continue;
      }
      if (index > 0) {
        forms.splice(index, 1);
        forms.unshift(form);
      }
      if (this.credit < CREDIT_MAX) this.credit += 1;
      return form;
    }
    return null;
  }

  private fits(json: JsonCursor, { texts, slots }: Form): boolean {
    if (!json.passes(texts[0] as KnownBytes)) return false;
    for (let index = 0; index < slots.length; index++) {
      const number = json.wholeNumber();
      if (number < 0 || !json.passes(texts[index + 1] as KnownBytes)) return false;
      this.numbers[index] = number;
    }
    return true;
  }

  private learn(text: string, value: unknown): void {
    if (text.length > LENGTH_MAX || this.credit < LEARN_COST || typeof value !== 'object' || value === null) return;
    this.credit -= LEARN_COST;
    const form = formOf(text, value);
    if (form === null) return;
    this.forms.unshift(form);
    this.forms.length = Math.min(this.forms.length, FORMS_MAX);
  }
}

/** The form of a value; null for one that is written in another way than JSON.stringify does, or has other numbers. */
function formOf(text: string, value: object): Form | null {
  // Then no member stands twice, and the members stand in the order of the text.
  if (!PLAIN.test(text) || text.includes('"__proto__"') || JSON.stringify(value) !== text) return null;
  const numbers = [...text.matchAll(TOKEN)].filter(([token]) => !token.startsWith('"'));
  if (!numbers.every(([token]) => WHOLE.test(token))) return null;
  const ends = numbers.map((found) => found.index + found[0].length);
  const texts = [0, ...ends].map((from, index) => new KnownBytes(asciiBytes(text.slice(from, numbers[index]?.index))));
  const form: Form = { texts, nodes: [{ source: value, parent: -1, key: '' }], copies: [], slots: [] };
  addMembers(form, 0);
  return form;
}

function addMembers(form: Form, node: number): void {
  for (const [key, value] of Object.entries(form.nodes[node]?.source ?? {}) as [string, unknown][]) {
    if (typeof value === 'number') form.slots.push({ node, key, value });
    else if (typeof value === 'object' && value !== null) {
      form.nodes.push({ source: value, parent: node, key });
      addMembers(form, form.nodes.length - 1);
    }
  }
}

/** A new value of a form, with these numbers. */
function made({ nodes, slots, copies }: Form, numbers: readonly number[]): unknown {
  for (let index = 0; index < nodes.length; index++) {
    const { source, parent, key } = nodes[index] as Node;
    const copy = (Array.isArray(source) ? [...(source as unknown[])] : { ...source }) as Container;
    copies[index] = copy;
    if (index > 0) (copies[parent] as Container)[key] = copy;
  }
  for (let index = 0; index < slots.length; index++) {
    const { node, key, value } = slots[index] as Form['slots'][number];
    if (numbers[index] !== value) (copies[node] as Container)[key] = numbers[index];
  }
  return copies[0];
}
