import type { BatchResult } from '../../../providers/contract.ts';

/** Bytes of failures that wait for the end. */
const BYTES_HELD = 16 * 1024 ** 2;

/**
 * The answers of a provider batch, its failures last: of a line that has a failure and an answer, wherever they stand, the
 * answer counts, as it was made and billed. Failures that are too much to hold come where they stand.
 */
export async function* failuresLast(answers: AsyncIterable<BatchResult>): AsyncGenerator<BatchResult> {
  const held = new Map<string, BatchResult>();
  let bytes = 0;
  for await (const answer of answers) {
    const { key, result } = answer;
    const isHeld = key !== null && held.has(key);
    if (result.ok) {
      if (isHeld) held.delete(key);
      yield answer;
    } else if (key === null || isHeld || bytes >= BYTES_HELD) yield answer;
    else {
      held.set(key, answer);
      bytes += answer.rawLength ?? answer.raw.length;
    }
  }
  yield* held.values();
}
