import type { Deps } from '../../ports/deps.ts';
import { givenUp } from './given-up.ts';
import { readIndex } from './read-index.ts';

/**
 * The 0-based lines with a committed result in the parts of a batch that touch `range` (inclusive). Of a part that cannot
 * be read they are those that the ledger knows as decided: they were paid for, and are not sent again.
 */
export async function committedLines(
  deps: Pick<Deps, 'store' | 'files'>,
  range: { batchId: string; firstLine: number; lastLine: number },
): Promise<Set<number>> {
  const { batchId } = range;
  const { files } = givenUp(deps);
  const done = new Set<number>();
  for (const part of await deps.store.segments.parts(batchId, range.firstLine, range.lastLine)) {
    const { index, isWhole } = await readIndex(files, part);
    for (let at = 0; at < index.count; at++) done.add(index.line(at));
    if (isWhole) continue;
    for (const line of (await deps.store.ledger.decided(batchId, part.firstLine + 1, part.lastLine + 1)).keys()) {
      done.add(line - 1);
    }
  }
  return done;
}
