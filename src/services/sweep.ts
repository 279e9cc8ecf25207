import { unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';
import { sweepParts } from './batches/sweep.ts';
import { sweepFiles, sweepOrphans } from './files/sweep.ts';
import { refreshPrices } from './prices/refresh.ts';
import { sweepUploads } from './uploads/sweep.ts';

const ITEMS_AT_ONCE = 200;
/** Clients retry within minutes; a day also covers a script that is started again the next morning. */
const IDEMPOTENCY_SECONDS = 86_400;
/** How long an endpoint's owner can see what became of its deliveries. */
const DELIVERY_SECONDS = 30 * 86_400;

/** Where the walk over each area stands: rounds are small, and go on where the last one ended. */
export interface SweepCursors {
  files: string | null;
  uploads: string | null;
  batches: string | null;
}

export const FIRST_SWEEP: SweepCursors = { files: null, uploads: null, batches: null };

/**
 * One bounded round of cleaning up: expired files and uploads, bytes nobody needs, old idempotency keys and deliveries.
 * Prices that were stated to another process are taken in.
 */
export async function sweep(deps: Deps, cursors: SweepCursors): Promise<SweepCursors> {
  await sweepFiles(deps, ITEMS_AT_ONCE);
  await sweepUploads(deps, ITEMS_AT_ONCE);
  await deps.store.cache.deleteExpired(unixSeconds(deps.clock));
  await deps.store.parkedCalls.deleteAnsweredBefore(unixSeconds(deps.clock) - deps.settings.autobatchKeepSeconds);
  await deps.store.idempotency.deleteBefore(unixSeconds(deps.clock) - IDEMPOTENCY_SECONDS);
  await deps.store.webhooks.deleteEndedBefore(unixSeconds(deps.clock) - DELIVERY_SECONDS, ITEMS_AT_ONCE);
  await refreshPrices(deps);
  const files = await sweepOrphans(deps, { prefix: 'files/', after: cursors.files, limit: ITEMS_AT_ONCE });
  const uploads = await sweepOrphans(deps, { prefix: 'uploads/', after: cursors.uploads, limit: ITEMS_AT_ONCE });
  const batches = await sweepParts(deps, { after: cursors.batches, limit: ITEMS_AT_ONCE });
  return { files: files.next, uploads: uploads.next, batches: batches.next };
}
