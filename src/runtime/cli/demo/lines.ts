import { createReadStream } from 'node:fs';
import { LineFramer } from '../../../core/jsonl.ts';

const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** Parses every line of a stream of JSONL; blank lines are left out. One chunk's lines are held at a time. */
export async function* parsedLines<T>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  let waiting: T[] = [];
  const framer = new LineFramer(LINE_BYTES_MAX, (bytes) => {
    if (bytes !== null && bytes.byteLength > 0) waiting.push(JSON.parse(new TextDecoder().decode(bytes)) as T);
  });
  for await (const chunk of chunks) {
    framer.push(chunk);
    yield* waiting;
    waiting = [];
  }
  framer.end();
  yield* waiting;
}

/** Lines of a JSONL file that are not blank. */
export async function countLines(path: string): Promise<number> {
  let count = 0;
  const framer = new LineFramer(LINE_BYTES_MAX, (bytes) => {
    if (bytes === null || bytes.some((byte) => byte > 0x20)) count += 1;
  });
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) framer.push(chunk);
  framer.end();
  return count;
}
