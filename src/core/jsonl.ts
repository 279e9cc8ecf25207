import { Buffer } from 'node:buffer';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;
/** A buffer for lines across chunks that is larger than this is given up after use. */
const keptCarryBytes = 1024 * 1024;

/**
 * Receives one physical line without its line end. `bytes` is null when the line is longer than allowed, and is only
 * valid during the call. `offset` and `length` are in bytes of the whole stream; line number = number of the call.
 */
export type OnLine = (bytes: Uint8Array | null, offset: number, length: number) => void;

/** The same of a line that stands at `from` to `to` of `bytes`: nothing is made for it. */
export type OnRange = (bytes: Uint8Array | null, from: number, to: number, offset: number, length: number) => void;

/**
 * Frames the lines of a byte stream, wherever the chunks are cut. Splits on 0x0A alone, so that U+2028 and its like
 * stay inside their strings; drops one CR before it and a UTF-8 byte order mark at the start. Holds at most one line
 * of `maxLineBytes` and a little more.
 */
export class RangeFramer {
  readonly #maxLineBytes: number;
  readonly #onRange: OnRange;
  /** The start of a line that began in an earlier chunk. */
  #carry = Buffer.alloc(0);
  #carried = 0;
  /** Bytes of the current line beyond what the carry may hold; they are counted, not kept. */
  #dropped = 0;
  #endsInReturn = false;
  #lineStart = 0;
  /** Whether the line just told lies in memory that a later one takes, and not in its chunk. */
  isLent = false;

  constructor(maxLineBytes: number, onRange: OnRange) {
    this.#maxLineBytes = maxLineBytes;
    this.#onRange = onRange;
  }

  /** Takes the next bytes of the stream; they are not used after the call. */
  push(chunk: Uint8Array): void {
    // A Buffer finds a byte several times faster than a Uint8Array does.
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      if (end < 0) break;
      if (this.#carried === 0) this.#emit(bytes, start, end, end - start);
      else {
        this.#keep(bytes, start, end);
        this.#emitCarry();
      }
      this.#lineStart += 1;
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes, start, bytes.length);
  }

  /** Ends the stream: a last line without a line feed counts. */
  end(): void {
    if (this.#carried > 0) this.#emitCarry();
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    // Enough to see, at the line's end, that it is too long even after its CR and the byte order mark are dropped.
    const most = this.#maxLineBytes + byteOrderMark.length + 2;
    const kept = Math.min(end - start, most - this.#carried);
    const needed = this.#carried + kept;
    if (needed > this.#carry.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(most, Math.max(4096, this.#carry.length * 2))));
      this.#carry.copy(grown, 0, 0, this.#carried);
      this.#carry = grown;
    }
    bytes.copy(this.#carry, this.#carried, start, start + kept);
    this.#carried = needed;
    this.#dropped += end - start - kept;
    this.#endsInReturn = bytes[end - 1] === carriageReturn;
  }

  #emitCarry(): void {
    const length = this.#carried + this.#dropped;
    if (this.#dropped > 0) this.#carry[this.#carried - 1] = this.#endsInReturn ? carriageReturn : 0;
    const carried = this.#carried;
    this.#carried = 0;
    this.#dropped = 0;
    this.isLent = true;
    this.#emit(this.#carry, 0, carried, length);
    this.isLent = false;
    if (this.#carry.length > keptCarryBytes) this.#carry = Buffer.alloc(0);
  }

  /** The line is there from `start` to `end`, or its first bytes and its last when it is `length` bytes and too long anyway. */
  #emit(bytes: Buffer, start: number, end: number, length: number): void {
    const marked = this.#lineStart === 0 && byteOrderMark.every((byte, index) => bytes[start + index] === byte);
    const mark = marked && end - start >= byteOrderMark.length ? byteOrderMark.length : 0;
    const tail = end - start > mark && bytes[end - 1] === carriageReturn ? 1 : 0;
    const offset = this.#lineStart + mark;
    const content = length - mark - tail;
    this.#lineStart += length;
    if (content > this.#maxLineBytes) this.#onRange(null, 0, 0, offset, content);
    else this.#onRange(bytes, start + mark, end - tail, offset, content);
  }
}

/** A RangeFramer that gives each line as an array of its own. */
export class LineFramer extends RangeFramer {
  constructor(maxLineBytes: number, onLine: OnLine) {
    super(maxLineBytes, (bytes, from, to, offset, length) =>
      onLine(bytes === null ? null : bytes.subarray(from, to), offset, length),
    );
  }
}

/**
 * Escapes the characters that some readers take for line ends (U+2028, U+2029, U+0085). In JSON text they can only
 * stand inside strings, so the meaning stays.
 */
export function escapeLineSeparators(json: string): string {
  if (!json.includes('\u2028') && !json.includes('\u2029') && !json.includes('\u0085')) return json;
  return json.replaceAll(/[\u0085\u2028\u2029]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Characters that JSON writes as they are. */
const PLAIN = /^[ !#-[\]-~]*$/;
const PLAIN_LENGTH_MAX = 256;

/** As JSON.stringify writes it, with nothing in it that is taken for a line end. Ids and names are plain nearly always. */
export function jsonText(value: string | null): string {
  if (value !== null && value.length <= PLAIN_LENGTH_MAX && PLAIN.test(value)) return `"${value}"`;
  return escapeLineSeparators(JSON.stringify(value));
}
