import { isUtf8 } from 'node:buffer';
import { KnownBytes, TextRun } from './text-run.ts';

/** Deeper values are left, though they may be valid. */
const DEPTH_MAX = 128;
/** Numbers of no more characters, with no more digits in their exponent, are finite. */
const NUMBER_LENGTH_MAX = 100;
const EXPONENT_DIGITS_MAX = 2;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Makes a letter of ASCII a small one. */
const SMALL = 0x20;
const LETTER_E = 0x65;

/** What may follow a backslash: how many bytes it and the backslash are with what belongs to them. */
const ESCAPES = new Uint8Array(256);
for (const byte of asciiBytes('"\\/bfnrt')) ESCAPES[byte] = 2;
ESCAPES[LETTER_U] = 6;
const TRUE = new KnownBytes(asciiBytes('true'));
const FALSE = new KnownBytes(asciiBytes('false'));
const NULL = new KnownBytes(asciiBytes('null'));

/**
 * Goes over JSON text in its bytes without making values of it. It takes nothing that JSON.parse would refuse, nor bytes
 * that are no UTF-8, nor numbers beyond a double; and it leaves what is unusual. What it does not take is for JSON.parse
 * to judge.
 */
export class JsonCursor {
  /** Where the last name or plain string begins and ends, in the buffer of the text. */
  from = 0;
  to = 0;
  private source: Uint8Array | null = null;
  run = new TextRun(new ArrayBuffer(0));
  /** Where the text begins, in its buffer. */
  start = 0;
  private at = 0;
  private end = 0;
  /** Whether the text is known to be UTF-8: looked at when the first byte beyond ASCII is met. */
  utf8 = false;
  /** Whether a line feed or return was passed. They can stand between tokens only. */
  passedLineEnd = false;

  /** Begins at the text that stands from `from` to `to` in `bytes`. */
  open(bytes: Uint8Array, from: number, to: number): void {
    if (this.source !== bytes) {
      this.source = bytes;
      if (this.run.bytes.buffer !== bytes.buffer) this.run = new TextRun(bytes.buffer);
    }
    this.start = bytes.byteOffset + from;
    this.at = this.start;
    this.end = bytes.byteOffset + to;
    this.utf8 = false;
    this.passedLineEnd = false;
  }

  /** Passes white space; the byte after it, or 0 at the end. */
  next(): number {
    const { bytes } = this.run;
    while (this.at < this.end) {
      const byte = bytes[this.at] as number;
      if (byte > SPACE) return byte;
      if (byte === LINE_FEED || byte === CARRIAGE_RETURN) this.passedLineEnd = true;
      else if (byte !== SPACE && byte !== TAB) return byte;
      this.at += 1;
    }
    return 0;
  }

  /** Where it stands, in the buffer of the text. */
  get place(): number {
    return this.at;
  }

  /** Whether nothing but white space is left. */
  ends(): boolean {
    return this.next() === 0 && this.at === this.end;
  }

  /** Passes the bracket that begins a value: false when `close` follows, which is passed too. */
  enter(close: number): boolean {
    this.at += 1;
    if (this.next() !== close) return true;
    this.at += 1;
    return false;
  }

  /** Passes what follows a value inside brackets: 1 when it is a comma, 0 when it is `close`, -1 when it is neither. */
  more(close: number): number {
    const byte = this.next();
    this.at += 1;
    if (byte === COMMA) return 1;
    return byte === close ? 0 : -1;
  }

  /** Passes a member's name and its colon; false when it is none or has an escape. */
  name(): boolean {
    if (!this.plainString() || this.next() !== COLON) return false;
    this.at += 1;
    return true;
  }

  /** Passes a string; false when it is none or has an escape. */
  plainString(): boolean {
    if (this.next() !== QUOTE) return false;
    this.from = this.at + 1;
    if (this.endOfRun(this.from) !== QUOTE) return false;
    this.to = this.at;
    this.at += 1;
    return true;
  }

  /** Whether the last name or plain string is `text`. */
  is(text: Uint8Array): boolean {
    const { from } = this;
    if (this.to - from !== text.length) return false;
    const { bytes } = this.run;
    for (let index = 0; index < text.length; index++) if (bytes[from + index] !== text[index]) return false;
    return true;
  }

  /** Passes `text` when it stands here. */
  passes(text: KnownBytes): boolean {
    const { at } = this;
    if (this.end - at < text.length || !this.run.holds(text, at)) return false;
    this.at = at + text.length;
    return true;
  }

  /** Whether it is `text` that stands between two places of the buffer. */
  stands(text: KnownBytes, from: number, to: number): boolean {
    return to - from === text.length && this.run.holds(text, from);
  }

  /** Passes a whole number that a double holds: -1 when none stands here. What follows its digits is for others to judge. */
  wholeNumber(): number {
    const from = this.at;
    let number = 0;
    for (let byte = this.byte(); isDigit(byte); byte = this.byte()) {
      number = number * 10 + byte - ZERO;
      this.at += 1;
    }
    const digits = this.at - from;
    return digits === 0 || digits > 15 || (digits > 1 && this.run.bytes[from] === ZERO) ? -1 : number;
  }

  /** Goes back to a place that was passed. */
  goTo(place: number): void {
    this.at = place;
  }

  /** A copy of what stands between two places of the buffer, to be passed again. */
  known(from: number, to: number): KnownBytes {
    return new KnownBytes(new Uint8Array(this.run.bytes.subarray(from, to)));
  }

  /** A copy of the last name or plain string. */
  copy(): Uint8Array {
    return new Uint8Array(this.run.bytes.subarray(this.from, this.to));
  }

  /** The last name or plain string. */
  text(): string {
    return this.textAt(this.from, this.to);
  }

  /** The text between two places of the buffer, inside a string. */
  textAt(from: number, to: number): string {
    return this.run.bytes.toString(this.utf8 ? 'utf8' : 'latin1', from, to);
  }

  /** Passes any value that stands `depth` brackets deep. */
  value(depth: number): boolean {
    const first = this.next();
    switch (first) {
      case QUOTE:
        return this.string();
      case OPEN_OBJECT:
        return depth < DEPTH_MAX && this.object(depth + 1);
      case OPEN_ARRAY:
        return depth < DEPTH_MAX && this.array(depth + 1);
      case LETTER_T:
        return this.passes(TRUE);
      case LETTER_F:
        return this.passes(FALSE);
      case LETTER_N:
        return this.passes(NULL);
      default:
        return this.number();
    }
  }

  private object(depth: number): boolean {
    if (!this.enter(CLOSE_OBJECT)) return true;
    for (;;) {
      if (this.next() !== QUOTE || !this.string() || this.next() !== COLON) return false;
      this.at += 1;
      if (!this.value(depth)) return false;
      const more = this.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  private array(depth: number): boolean {
    if (!this.enter(CLOSE_ARRAY)) return true;
    for (;;) {
      if (!this.value(depth)) return false;
      const more = this.more(CLOSE_ARRAY);
      if (more <= 0) return more === 0;
    }
  }

  /** Passes a string, at whose quote it stands. */
  private string(): boolean {
    let stop = this.endOfRun(this.at + 1);
    while (stop === BACKSLASH) {
      const { bytes } = this.run;
      // Beyond the end stand other bytes of the buffer, or none: the run that follows ends at once.
      const length = ESCAPES[bytes[this.at + 1] as number] as number;
      if (length === 6) {
        for (let index = 2; index < 6; index++) if (!isHex(bytes[this.at + index] as number)) return false;
      } else if (length === 0) return false;
      stop = this.endOfRun(this.at + length);
    }
    if (stop !== QUOTE) return false;
    this.at += 1;
    return true;
  }

  /** Goes from `from` to the next quote, backslash or control character, which it answers; 0 at the end or when it is no UTF-8. */
  private endOfRun(from: number): number {
    const { run, end } = this;
    this.at = this.utf8 ? run.endOfText(from, end) : run.endOfAscii(from, end);
    if (this.at >= end) return 0;
    const byte = run.bytes[this.at] as number;
    if (byte < 0x80 || this.utf8) return byte;
    this.utf8 = isUtf8(run.bytes.subarray(this.start, end));
    return this.utf8 ? this.endOfRun(this.at) : 0;
  }

  private number(): boolean {
    const from = this.at;
    if (this.byte() === MINUS) this.at += 1;
    if (this.byte() === ZERO) this.at += 1;
    else if (this.digits() === 0) return false;
    if (this.byte() === DOT) {
      this.at += 1;
      if (this.digits() === 0) return false;
    }
    if (this.at - from > NUMBER_LENGTH_MAX) return false;
    if ((this.byte() | SMALL) !== LETTER_E) return true;
    this.at += 1;
    if (this.byte() === PLUS || this.byte() === MINUS) this.at += 1;
    const digits = this.digits();
    return digits > 0 && digits <= EXPONENT_DIGITS_MAX;
  }

  private digits(): number {
    const from = this.at;
    while (isDigit(this.byte())) this.at += 1;
    return this.at - from;
  }

  /** 0 at the end. */
  private byte(): number {
    return this.at < this.end ? (this.run.bytes[this.at] as number) : 0;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  const small = byte | SMALL;
  return isDigit(byte) || (small >= 0x61 && small <= 0x66);
}

/** Bytes of a text in ASCII. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
