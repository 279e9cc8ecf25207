import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

/** Writing an object and its row takes less than this, even for the largest file. */
const orphanAgeSeconds = 86_400;

/**
 * One round of tidying: files past their end become deleted, and the bytes of deleted files that no live batch needs
 * are removed; up to `limit` of each. Returns how many it dealt with.
 */
export async function sweepFiles(deps: Deps, limit: number): Promise<number> {
  const now = unixSeconds(deps.clock);
  const expired = await deps.store.files.markExpired(now, limit);
  const rows = await deps.store.files.purgeable(limit);
  for (const row of rows) {
    await deps.files.delete(row.contentKey);
    if (row.planKey !== null) await deps.files.delete(row.planKey);
  }
  if (rows.length > 0) {
    await deps.store.files.markPurged(
      rows.map((row) => row.id),
      now,
    );
  }
  return expired + rows.length;
}

/**
 * Removes objects older than a day that no row knows: what crashes left. Looks at up to `limit` of them, after the
 * key `after`; answers the key to go on from, null at the end.
 */
export async function sweepOrphans(
  deps: Deps,
  query: { prefix: 'files/' | 'uploads/'; after: string | null; limit: number },
): Promise<{ next: string | null; removed: number }> {
  const before = unixSeconds(deps.clock) - orphanAgeSeconds;
  let looked = 0;
  let removed = 0;
  for await (const object of deps.files.list(query.prefix, query.after ?? undefined)) {
    if (object.modifiedAt < before && !(await isKnown(deps, object.key))) {
      await deps.files.delete(object.key);
      removed += 1;
    }
    looked += 1;
    if (looked === query.limit) return { next: object.key, removed };
  }
  return { next: null, removed };
}

async function isKnown(deps: Deps, key: string): Promise<boolean> {
  const [area, name = ''] = key.split('/');
  if (area === 'uploads') return (await deps.store.uploads.get('all', name))?.status === 'pending';
  const [id = ''] = name.split('.');
  const row = await deps.store.files.getAny(id);
  return row?.contentKey === key || row?.planKey === key;
}
