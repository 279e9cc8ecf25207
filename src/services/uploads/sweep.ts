import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

/**
 * One round of tidying: pending uploads past their end expire, and the parts of ended uploads are removed; up to
 * `limit` uploads of each. Returns how many it dealt with.
 */
export async function sweepUploads(deps: Deps, limit: number): Promise<number> {
  const expired = await deps.store.uploads.expired(unixSeconds(deps.clock), limit);
  for (const upload of expired) await deps.store.uploads.finish(upload.id, 'expired', null);
  const ended = await deps.store.uploads.withLeftoverParts(limit);
  for (const upload of ended) {
    for (const part of await deps.store.uploads.parts(upload.id)) await deps.files.delete(part.contentKey);
    await deps.store.uploads.deleteParts(upload.id);
  }
  return expired.length + ended.length;
}
