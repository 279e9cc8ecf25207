import { asciiBytes, type JsonCursor } from './json-cursor.ts';
import { KnownBytes } from './text-run.ts';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** First byte of null. */
const LETTER_N = 0x6e;
const BACKSLASH = '\\';
const NOTHING = new KnownBytes(new Uint8Array(0));

/** A part of a JSON text that is read where the cursor stands. */
export interface Picked {
  /** Forgets what was read: it is absent. */
  clear(): void;
  /**
   * Passes a value, and knows no more of an earlier one; `depth` brackets are open. False when it cannot be read so: it is
   * for JSON.parse.
   */
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
  /** With its quotes. Empty when it is not plain ASCII, which is to be looked at each time. */
  #lastBytes: KnownBytes = NOTHING;
  #lastText = '';

  clear(): void {
    this.text = null;
  }

  read(json: JsonCursor, depth: number): boolean {
    this.text = null;
    if (json.next() !== QUOTE) return json.value(depth);
    if (this.#lastBytes.length === 0 || !json.passes(this.#lastBytes)) {
      if (!json.plainString()) return false;
      this.#lastText = json.text();
      this.#lastBytes = json.utf8 ? NOTHING : json.known(json.from - 1, json.to + 1);
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
      if (!item.read(json, depth + 1)) return false;
      this.count += 1;
      const more = json.more(CLOSE_ARRAY);
      if (more <= 0) return more === 0;
    }
  }
}

/** How the parts of an object follow each other: what stands between the end of one and the value of the next. */
interface Way {
  text: KnownBytes;
  /** The part to whose value it leads, or END. */
  to: number;
}

const END = -1;
const BROKEN = -2;
/** Longer ways are not worth keeping. */
const WAY_LENGTH_MAX = 512;
/** What keeping a way costs, in ways that were known: where none come again, none are kept after a while. */
const KEEP_COST = 16;
const CREDIT_MAX = 256;

/**
 * Some members of an object, each at most once; the others are passed. Names with an escape cannot be read. Lines are
 * mostly written alike: a way from part to part that is that of an earlier line is compared with it, not gone over.
 */
export class Members implements Picked {
  readonly #names: readonly Uint8Array[];
  readonly #parts: readonly Picked[];
  /** Bit by bit, the members. */
  readonly #all: number;
  /** The way from the beginning, then those that begin behind each part. */
  readonly #ways: Way[];
  #credit = CREDIT_MAX;

  /** At most 31. */
  constructor(parts: Readonly<Record<string, Picked>>) {
    this.#names = Object.keys(parts).map(asciiBytes);
    this.#parts = Object.values(parts);
    this.#all = 2 ** this.#parts.length - 1;
    this.#ways = [END, ...this.#names.keys()].map(() => ({ text: NOTHING, to: BROKEN }));
  }

  clear(): void {
    this.#clearBut(0);
  }

  read(json: JsonCursor, depth: number): boolean {
    if (json.next() !== OPEN_OBJECT) return false;
    // Bit by bit, the members that were met.
    let met = 0;
    if (json.enter(CLOSE_OBJECT)) {
      for (let next = 0; ; ) {
        const index = this.#toPart(json, next, depth + 1);
        if (index === END) break;
        const bit = 1 << index;
        if (index < 0 || (met & bit) !== 0) return false;
        met |= bit;
        if (!(this.#parts[index] as Picked).read(json, depth + 1)) return false;
        next = index + 1;
      }
    }
    if (met !== this.#all) this.#clearBut(met);
    return true;
  }

  #clearBut(met: number): void {
    const parts = this.#parts;
    for (let index = 0; index < parts.length; index++) if ((met & (1 << index)) === 0) (parts[index] as Picked).clear();
  }

  /** Goes on to the value of a part, and tells which; `next`: the one behind the last, 0 at the beginning. */
  #toPart(json: JsonCursor, next: number, depth: number): number {
    const way = this.#ways[next] as Way;
    if (way.to !== BROKEN && json.passes(way.text)) {
      if (this.#credit < CREDIT_MAX) this.#credit += 1;
      return way.to;
    }
    const from = json.place;
    const to = this.#walk(json, next, depth);
    const { place } = json;
    // What is beyond ASCII, and where lines end, is to be looked at each time.
    const isPlain = !json.utf8 && !json.passedLineEnd;
    if (to !== BROKEN && isPlain && place - from <= WAY_LENGTH_MAX && this.#credit >= KEEP_COST) {
      this.#credit -= KEEP_COST;
      this.#ways[next] = { text: json.known(from, place), to };
    }
    return to;
  }

  #walk(json: JsonCursor, next: number, depth: number): number {
    for (let isFirst = next === 0; ; isFirst = false) {
      const more = isFirst ? 1 : json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0 ? END : BROKEN;
      if (!json.name()) return BROKEN;
      const index = this.#indexOf(json, next);
      if (index >= 0) return index;
      if (!json.value(depth)) return BROKEN;
    }
  }

  /** Which of the members the last name is, mostly `next`; -1 for another one. */
  #indexOf(json: JsonCursor, next: number): number {
    const names = this.#names;
    const { length } = names;
    for (let tried = 0, index = next; tried < length; tried++, index++) {
      if (index >= length) index -= length;
      if (json.is(names[index] as Uint8Array)) return index;
    }
    return -1;
  }
}

/** Begins at a text; `false` when it is not `whole` of one value. What was picked holds until the next call. */
export function pick(json: JsonCursor, text: Uint8Array, whole: Picked): boolean {
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
