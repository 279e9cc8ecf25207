import { Buffer } from 'node:buffer';
import { jsonText } from './jsonl.ts';

/** Pieces up to a quarter of this share memory: to give each some of its own costs more than to write it. */
const SHARED_BYTES = 64 * 1024;
/** Shorter runs are copied faster byte by byte. */
const RUN_MIN = 48;
/** UTF-8 has at most so many bytes for a unit of a text's length, and JSON for one of a string's, beside its quotes. */
export const UNIT_BYTES = 3;
export const JSON_UNIT_BYTES = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;
const ZERO = 0x30;
const NULL = Buffer.from('null');

/** Bytes that are put together where they are to stand. */
export interface Written {
  /** At most so many bytes. */
  readonly bytesMax: number;
  writeTo(writer: ByteWriter): void;
}

/** Writes pieces of bytes, one after another, into memory that is used for nothing else. */
export class ByteWriter {
  #memory = Buffer.allocUnsafeSlow(0);
  #from = 0;
  #at = 0;

  /** Begins a piece of no more bytes than `most`. */
  begin(most: number): void {
    if (most > this.#memory.length - this.#at) {
      this.#memory = Buffer.allocUnsafeSlow(most > SHARED_BYTES / 4 ? most : SHARED_BYTES);
      this.#at = 0;
    }
    this.#from = this.#at;
  }

  /** How much of the piece is written. */
  get length(): number {
    return this.#at - this.#from;
  }

  text(text: string): void {
    this.#at += this.#memory.write(text, this.#at);
  }

  all(bytes: Uint8Array): void {
    this.#memory.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Copies what stands from `from` to `to` in `source`. */
  bytes(source: Buffer, from: number, to: number): void {
    const memory = this.#memory;
    let at = this.#at;
    if (to - from >= RUN_MIN) at += source.copy(memory, at, from, to);
    else for (let index = from; index < to; index++) memory[at++] = source[index] as number;
    this.#at = at;
  }

  /** A number in JSON, or null. */
  number(value: number | null): void {
    if (value === null) this.all(NULL);
    // Most are small; others are for the engine to write.
    else if (value >= 0 && value === (value | 0)) this.#digits(value);
    else this.text(String(value));
  }

  /** A string in JSON, or null: as `jsonText` writes it. */
  string(value: string | null): void {
    if (value === null) {
      this.all(NULL);
      return;
    }
    const memory = this.#memory;
    let at = this.#at;
    memory[at++] = QUOTE;
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index);
      if (unit < SPACE || unit > TILDE || unit === QUOTE || unit === BACKSLASH) {
        this.text(jsonText(value));
        return;
      }
      memory[at++] = unit;
    }
    memory[at++] = QUOTE;
    this.#at = at;
  }

  /** The piece, whose memory is its own. */
  end(): Buffer {
    return this.#memory.subarray(this.#from, this.#at);
  }

  #digits(value: number): void {
    let count = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) count += 1;
    const memory = this.#memory;
    let rest = value;
    for (let at = this.#at + count - 1; at >= this.#at; at--) {
      const tenth = (rest / 10) | 0;
      memory[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#at += count;
  }
}

const pieces = new ByteWriter();

/** A copy of bytes that are lent. Lines that are kept for a while share memory, which costs less than some for each. */
export function copyOf(bytes: Uint8Array): Buffer {
  pieces.begin(bytes.length);
  pieces.all(bytes);
  return pieces.end();
}

/** The bytes, put together. */
export function bytesOf(written: Written): Buffer {
  pieces.begin(written.bytesMax);
  written.writeTo(pieces);
  return pieces.end();
}
