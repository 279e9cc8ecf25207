import { PartIndex } from '../../core/part.ts';
import type { Deps } from '../../ports/deps.ts';

/** The 0-based lines with a committed result in the parts of a batch that touch `range` (inclusive). */
export async function committedLines(
  deps: Pick<Deps, 'store' | 'files'>,
  range: { batchId: string; firstLine: number; lastLine: number },
): Promise<Set<number>> {
  const done = new Set<number>();
  for (const part of await deps.store.segments.parts(range.batchId, range.firstLine, range.lastLine)) {
    const bytes = await deps.files.readRange(part.key, {
      offset: part.indexOffset,
      length: part.bytes - part.indexOffset,
    });
    const index = new PartIndex(bytes);
    for (let at = 0; at < index.count; at++) done.add(index.line(at));
  }
  return done;
}
