import { copyOf } from './byte-writer.ts';
import { type OnLine, RangeFramer } from './jsonl.ts';

/** Lines in more memory than this are copied: one that is kept would keep all of it. */
const MEMORY_BYTES_MAX = 64 * 1024;

/**
 * Frames the lines of a byte stream whose chunks nobody writes to again. Its lines hold for as long as somebody has them:
 * they lie where they came, and only what came in two chunks, or in much memory, is copied.
 */
export class LastingLines {
  readonly #framer: RangeFramer;
  #isLarge = false;

  constructor(maxLineBytes: number, onLine: OnLine) {
    const framer = new RangeFramer(maxLineBytes, (bytes, from, to, offset, length) => {
      const line = bytes === null ? null : bytes.subarray(from, to);
      onLine(line !== null && (this.#isLarge || framer.isLent) ? copyOf(line) : line, offset, length);
    });
    this.#framer = framer;
  }

  push(chunk: Uint8Array): void {
    this.#isLarge = chunk.buffer.byteLength > MEMORY_BYTES_MAX;
    this.#framer.push(chunk);
  }

  /** Ends the stream: a last line without a line feed counts. */
  end(): void {
    this.#framer.end();
  }
}
