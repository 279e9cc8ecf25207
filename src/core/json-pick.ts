import { asciiBytes, type JsonCursor } from './json-cursor.ts';

const QUOTE = 0x22;
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

  /** The string that it is; null for anything else. */
  word(json: JsonCursor): string | null {
    if (this.first !== QUOTE) return null;
    const text = json.textAt(this.from + 1, this.to - 1);
    return text.includes(BACKSLASH) ? (JSON.parse(`"${text}"`) as string) : text;
  }
}

/** Some members of an object, each at most once; the others are passed. Names with an escape cannot be read. */
export class Members implements Picked {
  readonly #names: readonly Uint8Array[];
  readonly #parts: readonly Picked[];
  readonly #has: boolean[];

  constructor(parts: Readonly<Record<string, Picked>>) {
    this.#names = Object.keys(parts).map(asciiBytes);
    this.#parts = Object.values(parts);
    this.#has = this.#parts.map(() => false);
  }

  clear(): void {
    this.#has.fill(false);
    for (const part of this.#parts) part.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    if (json.next() !== OPEN_OBJECT) return false;
    if (!json.enter(CLOSE_OBJECT)) return true;
    for (;;) {
      if (!json.name() || !this.#member(json, depth + 1)) return false;
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  #member(json: JsonCursor, depth: number): boolean {
    const names = this.#names;
    for (let index = 0; index < names.length; index++) {
      if (!json.is(names[index] as Uint8Array)) continue;
      if (this.#has[index]) return false;
      this.#has[index] = true;
      return (this.#parts[index] as Picked).read(json, depth);
    }
    return json.value(depth);
  }
}

/** Texts up to this size are gone over in one place: to look into a buffer of its own costs more than to copy it. */
const scratch = new Uint8Array(64 * 1024);

/** Begins at a text; `false` when it is not `whole` of one value. What was picked holds until the next call. */
export function pick(json: JsonCursor, text: Uint8Array, whole: Picked): boolean {
  whole.clear();
  openText(json, text);
  return whole.read(json, 0) && json.ends();
}

/** Lets the cursor begin at a text. */
export function openText(json: JsonCursor, text: Uint8Array): void {
  if (text.length > scratch.length) {
    json.open(text, 0, text.length);
    return;
  }
  scratch.set(text);
  json.open(scratch, 0, text.length);
}
