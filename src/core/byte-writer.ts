import { Buffer } from 'node:buffer';

/** Pieces up to a quarter of this share memory: to give each some of its own costs more than to write it. */
const SHARED_BYTES = 64 * 1024;
/** Shorter runs are copied faster byte by byte. */
const RUN_MIN = 48;
/** UTF-8 has at most so many bytes for a unit of a text's length. */
const UNIT_BYTES = 3;

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
  bytes(source: Buffer, from: number, to: number): void {
    const memory = this.#memory;
    let at = this.#at;
    if (to - from >= RUN_MIN) at += source.copy(memory, at, from, to);
    else for (let index = from; index < to; index++) memory[at++] = source[index] as number;
    this.#at = at;
  }

  /** Writes `head`, `between` and `rest`; answers whether both texts are ASCII. */
  around(head: string, between: Uint8Array, rest: string): boolean {
    const memory = this.#memory;
    const from = this.#at;
    const text = head + rest;
    // Both texts are written at once, where the second is to stand; the first is then moved to its place.
    const written = memory.write(text, from + between.length);
    const isPlain = written === text.length;
    const headBytes = isPlain ? head.length : Buffer.byteLength(head);
    memory.copyWithin(from, from + between.length, from + between.length + headBytes);
    memory.set(between, from + headBytes);
    this.#at = from + between.length + written;
    return isPlain;
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
