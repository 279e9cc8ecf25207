import { endFor, type Mark } from './batch-token.ts';

/** How a line of `BatchApi.line` begins: the key follows, then a quotation mark. */
export const linePrefix = '{"custom_id":"';

const lineFeed = 0x0a;
const quote = 0x22;
const encoder = new TextEncoder();

/** Pieces are sent together in chunks of about this size. */
const chunkBytes = 65_536;

/**
 * The body of a create call, written while it is sent: the lines as the elements of `requests`, each custom_id ended with
 * `the mark`. Never holds more than a chunk or two.
 */
export async function* createBody(lines: AsyncIterable<Uint8Array>, mark: Mark): AsyncGenerator<Uint8Array> {
  const writer = new LineWriter(mark);
  let pieces: Uint8Array[] = [encoder.encode('{"requests":[')];
  let bytes = 0;
  for await (const chunk of lines) {
    for (const piece of writer.write(chunk)) {
      pieces.push(piece);
      bytes += piece.length;
    }
    if (bytes < chunkBytes) continue;
    yield joined(pieces);
    pieces = [];
    bytes = 0;
  }
  yield joined([...pieces, encoder.encode(']}')]);
}

/** A copy: what the lines came in may be used again by whoever reads them. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

const comma = encoder.encode(',');

class LineWriter {
  readonly #mark: Mark;
  #isFirst = true;
  /** Bytes of the present line so far; 0 at its beginning. */
  #position = 0;
  #isMarked = false;

  constructor(mark: Mark) {
    this.#mark = mark;
  }

  *write(chunk: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    while (start < chunk.length) {
      const feed = chunk.indexOf(lineFeed, start);
      const end = feed < 0 ? chunk.length : feed;
      if (end > start) yield* this.#writePiece(chunk.subarray(start, end));
      if (feed >= 0) {
        this.#position = 0;
        this.#isMarked = false;
      }
      start = end + 1;
    }
  }

  *#writePiece(piece: Uint8Array): Generator<Uint8Array> {
    if (this.#position === 0) {
      if (!this.#isFirst) yield comma;
      this.#isFirst = false;
    }
    const before = this.#position;
    const from = Math.max(0, linePrefix.length - before);
    this.#position += piece.length;
    const end = this.#isMarked || from >= piece.length ? -1 : piece.indexOf(quote, from);
    if (end < 0) {
      yield piece;
      return;
    }
    this.#isMarked = true;
    if (end > 0) yield piece.subarray(0, end);
    yield encoder.encode(endFor(before + end - linePrefix.length, this.#mark));
    yield piece.subarray(end);
  }
}
