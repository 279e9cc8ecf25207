import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

/** A part is committed seconds after it was written; a lane file belongs to its batch from the start. */
const ORPHAN_AGE_SECONDS = 86_400;

/**
 * Removes parts and lane files that no row knows: what crashes between a write and its commit left. Looks at up to
 * `limit` objects after the key `after`; answers the key to go on from, null at the end.
 */
export async function sweepParts(
  deps: Deps,
  query: { after: string | null; limit: number },
): Promise<{ next: string | null; removed: number }> {
  const before = unixSeconds(deps.clock) - ORPHAN_AGE_SECONDS;
  let looked = 0;
  let removed = 0;
  let known = { batchId: '', keys: new Set<string>() };
  for await (const object of deps.files.list('batches/', query.after ?? undefined)) {
    const batchId = object.key.split('/')[1] ?? '';
    if (known.batchId !== batchId) known = { batchId, keys: await knownKeys(deps, batchId) };
    if (object.modifiedAt < before && !known.keys.has(object.key)) {
      await deps.files.delete(object.key);
      removed += 1;
    }
    looked += 1;
    if (looked === query.limit) return { next: object.key, removed };
  }
  return { next: null, removed };
}

async function knownKeys(deps: Deps, batchId: string): Promise<Set<string>> {
  const batch = await deps.store.batches.get('all', batchId);
  if (!batch) return new Set();
  const parts = await deps.store.segments.parts(batchId, 0, Number.MAX_SAFE_INTEGER);
  return new Set([`batches/${batchId}/lanes`, ...parts.map((part) => part.key)]);
}
