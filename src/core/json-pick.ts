import { asciiBytes, type JsonCursor } from './json-cursor.ts';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** First byte of null. */
const LETTER_N = 0x6e;
const BACKSLASH = '\\';

/** A part of a JSON text that is read where the cursor stands. */
export interface Picked {
  /** Forgets what was read. */
  clear(): void;
  /** Passes a value; `depth` brackets are open. False when it cannot be read so: it is for JSON.parse. */
  read(json: JsonCursor, depth: number): boolean;
}

/** The place of a value. */
export class Span implements Picked {
  from = 0;
  /** 0 where there is none. */
  to = 0;
  /** Its first byte. */
  first = 0;

  clear(): void {
    this.to = 0;
    this.first = 0;
  }

  read(json: JsonCursor, depth: number): boolean {
    this.first = json.next();
    this.from = json.place;
    if (!json.value(depth)) return false;
    this.to = json.place;
    return true;
  }

  /** Whether it is absent, or null. */
  get isEmpty(): boolean {
    return this.to === 0 || this.first === LETTER_N;
  }

  get isString(): boolean {
    return this.first === QUOTE;
  }

  /** The string that it is; null for anything else. */
  word(json: JsonCursor): string | null {
    if (this.first !== QUOTE) return null;
    const text = json.textAt(this.from + 1, this.to - 1);
    return text.includes(BACKSLASH) ? (JSON.parse(`"${text}"`) as string) : text;
  }
}

/** A short text. Lines say the same ones again and again: the last is kept. One with an escape cannot be read. */
export class Word implements Picked {
  /** Null where there is none, or something else than a text. */
  text: string | null = null;
  #lastBytes: Uint8Array = new Uint8Array(0);
  #lastText = '';

  clear(): void {
    this.text = null;
  }

  read(json: JsonCursor, depth: number): boolean {
    this.text = null;
    if (json.next() !== QUOTE) return json.value(depth);
    if (!json.plainString()) return false;
    if (!json.is(this.#lastBytes)) {
      this.#lastText = json.text();
      this.#lastBytes = json.copy();
    }
    this.text = this.#lastText;
    return true;
  }
}

/** A list of no more items than may be, each read by a part of its own. */
export class Items<Item extends Picked> implements Picked {
  /** How many there are. */
  count = 0;
  readonly #items: readonly Item[];

  constructor(most: number, create: () => Item) {
    this.#items = Array.from({ length: most }, create);
  }

  at(index: number): Item {
    return this.#items[index] as Item;
  }

  clear(): void {
    this.count = 0;
  }

  read(json: JsonCursor, depth: number): boolean {
    this.count = 0;
    if (json.next() !== OPEN_ARRAY) return false;
    if (!json.enter(CLOSE_ARRAY)) return true;
    for (;;) {
      const item = this.#items[this.count];
      if (item === undefined) return false;
      item.clear();
      if (!item.read(json, depth + 1)) return false;
      this.count += 1;
      const more = json.more(CLOSE_ARRAY);
      if (more <= 0) return more === 0;
    }
  }
}

/** Some members of an object, each at most once; the others are passed. Names with an escape cannot be read. */
export class Members implements Picked {
  readonly #names: readonly Uint8Array[];
  readonly #parts: readonly Picked[];
  /** Bit by bit, the members that were met. */
  #met = 0;
  /** The member after the last one: lines have theirs in the same order. */
  #next = 0;

  /** At most 31. */
  constructor(parts: Readonly<Record<string, Picked>>) {
    this.#names = Object.keys(parts).map(asciiBytes);
    this.#parts = Object.values(parts);
  }

  clear(): void {
    this.#met = 0;
    const parts = this.#parts;
    for (let index = 0; index < parts.length; index++) (parts[index] as Picked).clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    if (json.next() !== OPEN_OBJECT) return false;
    if (!json.enter(CLOSE_OBJECT)) return true;
    this.#next = 0;
    for (;;) {
      if (!json.name() || !this.#member(json, depth + 1)) return false;
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  #member(json: JsonCursor, depth: number): boolean {
    const index = this.#indexOf(json);
    if (index < 0) return json.value(depth);
    const bit = 1 << index;
    if ((this.#met & bit) !== 0) return false;
    this.#met |= bit;
    this.#next = index + 1;
    return (this.#parts[index] as Picked).read(json, depth);
  }

  /** Which of the members the last name is; -1 for another one. */
  #indexOf(json: JsonCursor): number {
    const names = this.#names;
    const { length } = names;
    for (let tried = 0, index = this.#next; tried < length; tried++, index++) {
      if (index >= length) index -= length;
      if (json.is(names[index] as Uint8Array)) return index;
    }
    return -1;
  }
}

/** Begins at a text; `false` when it is not `whole` of one value. What was picked holds until the next call. */
export function pick(json: JsonCursor, text: Uint8Array, whole: Picked): boolean {
  whole.clear();
  json.open(text, 0, text.length);
  return whole.read(json, 0) && json.ends();
}

/** Texts up to this size are gone over in one place: to look into a buffer of its own costs more than to copy it. */
const scratch = new Uint8Array(64 * 1024);

/** Lets the cursor begin at a text whose buffer few others share. */
export function openText(json: JsonCursor, text: Uint8Array): void {
  if (text.length > scratch.length) {
    json.open(text, 0, text.length);
    return;
  }
  scratch.set(text);
  json.open(scratch, 0, text.length);
}
