import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { areResultsGone } from './results-gone.ts';

/** A part is committed seconds after it was written; a lane file belongs to its batch from the start. */
const ORPHAN_AGE_SECONDS = 86_400;

/**
 * Removes parts and lane files of batches whose results were deleted or have expired, and those that no row knows: what
 * crashes between a write and its commit left. Looks at up to `limit` objects after the key `after`; answers the key to
 * go on from, null at the end.
 */
export async function sweepParts(
  deps: Deps,
  query: { after: string | null; limit: number },
): Promise<{ next: string | null; removed: number }> {
  const before = unixSeconds(deps.clock) - ORPHAN_AGE_SECONDS;
  let looked = 0;
  let removed = 0;
  let known: Known = { batchId: '', gone: false, keys: new Set() };
  for await (const object of deps.files.list('batches/', query.after ?? undefined)) {
    const batchId = object.key.split('/')[1] ?? '';
    if (known.batchId !== batchId) known = await knownOf(deps, batchId);
    if (!known.keys.has(object.key) && (known.gone || object.modifiedAt < before)) {
      await deps.files.delete(object.key);
      removed += 1;
    }
    looked += 1;
    if (looked === query.limit) return { next: object.key, removed };
  }
  return { next: null, removed };
}

interface Known {
  batchId: string;
  /** Nobody may read its results any more. */
  gone: boolean;
  /** What stays. */
  keys: ReadonlySet<string>;
}

async function knownOf(deps: Deps, batchId: string): Promise<Known> {
  const batch = await deps.store.batches.get('all', batchId);
  if (!batch) return { batchId, gone: false, keys: new Set() };
  const lanes = `batches/${batchId}/lanes`;
  if (await areResultsGone(deps, batch)) {
    // What was given up at a provider may answer yet, and is entered by what was asked.
    return { batchId, gone: true, keys: new Set((await isAwaited(deps, batchId)) ? [lanes] : []) };
  }
  const parts = await deps.store.segments.parts(batchId, 0, Number.MAX_SAFE_INTEGER);
  const spares = await deps.store.shards.spares(batchId, 0, Number.MAX_SAFE_INTEGER);
  const keys = new Set([lanes, ...[...parts, ...spares].map((part) => part.key)]);
  return { batchId, gone: false, keys };
}

async function isAwaited(deps: Deps, batchId: string): Promise<boolean> {
  return (await deps.store.shards.list(batchId)).some(({ state }) => state === 'abandoned');
}
