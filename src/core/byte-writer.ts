import { Buffer } from 'node:buffer';

/** Pieces up to a quarter of this share memory: to give each some of its own costs more than to write it. */
const SHARED_BYTES = 64 * 1024;
/** Shorter runs are copied faster byte by byte. */
const RUN_MIN = 24;
/** UTF-8 has at most so many bytes for a unit of a text's length. */
const UNIT_BYTES = 3;
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Whole numbers below are written digit by digit. */
const SMALL_MAX = 2 ** 31;

/** Writes pieces of bytes, one after another, into memory that is used for nothing else. */
export class ByteWriter {
  #memory = Buffer.allocUnsafeSlow(0);
  #from = 0;
  #at = 0;

  /** Begins a piece of texts of so many units in all, and so many bytes beside. */
  begin(textLength: number, bytes: number): void {
    const most = textLength * UNIT_BYTES + bytes;
    if (most > this.#memory.length - this.#at) {
      this.#memory = Buffer.allocUnsafeSlow(most > SHARED_BYTES / 4 ? most : SHARED_BYTES);
      this.#at = 0;
    }
    this.#from = this.#at;
  }

  text(text: string): void {
    this.#at += this.#memory.write(text, this.#at);
  }

  all(bytes: Uint8Array): void {
    this.#memory.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Copies what stands from `from` to `to` in `source`. */
  bytes(source: Uint8Array, from: number, to: number): void {
    const memory = this.#memory;
    let at = this.#at;
    if (to - from >= RUN_MIN) {
      memory.set(source.subarray(from, to), at);
      at += to - from;
    } else for (let index = from; index < to; index++) memory[at++] = source[index] as number;
    this.#at = at;
  }

  /** Writes a text that stands inside a JSON string as it is: false, and nothing, for one with other characters. */
  plain(text: string): boolean {
    const memory = this.#memory;
    let at = this.#at;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return false;
      memory[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** Writes a number as JSON does. */
  number(value: number): void {
    if (!(value >= 0 && value < SMALL_MAX && Number.isInteger(value))) {
      this.text(String(value));
      return;
    }
    const memory = this.#memory;
    let end = this.#at + 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end += 1;
    this.#at = end;
    for (let rest = value | 0; ; ) {
      const tens = (rest / 10) | 0;
      memory[--end] = ZERO + rest - tens * 10;
      if (tens === 0) return;
      rest = tens;
    }
  }

  /** Bytes of the piece so far. */
  get length(): number {
    return this.#at - this.#from;
  }

  /** The piece, whose memory is its own. */
  end(): Buffer {
    return this.#memory.subarray(this.#from, this.#at);
  }
}

const copies = new ByteWriter();

/** A copy of bytes that are lent. Lines that are kept for a while share memory, which costs less than some for each. */
export function copyOf(bytes: Uint8Array): Buffer {
  copies.begin(0, bytes.length);
  copies.all(bytes);
  return copies.end();
}
