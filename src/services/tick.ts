/**
 * One bounded round of background work on batches and files. Node loops it, a Worker runs it from cron. Rows are the
 * truth: whatever a round does not get to, or a crash interrupts, the next one finds again.
 */
import { formatId, ID_BYTES } from '../core/ids.ts';
import type { Deps } from '../ports/deps.ts';
import type { BatchRow } from '../ports/store-batches.ts';
import { finalizeBatch } from './batches/finalize.ts';
import { startBatch } from './batches/start.ts';

const BATCHES_AT_ONCE = 4;
/** Planning or assembling the largest batch takes minutes; a crash in it is found again after this. */
const BATCH_LEASE_SECONDS = 600;
const RETRY_SECONDS = 5;
const EXPIRED_AT_ONCE = 100;

export interface TickResult {
  /** Batches worked on; when it is not 0 there may be more to do at once. */
  batches: number;
  /** True when segments may have become claimable, or batches were told to stop. */
  changed: boolean;
}

/** Runs one round. A batch that cannot be worked on now (its disk, its database) is tried again a little later. */
export async function tick(deps: Deps): Promise<TickResult> {
  const now = Math.floor(deps.clock.now() / 1000);
  const recovered = (await deps.store.segments.recover({ now })) + (await deps.store.shards.recover({ now }));
  const expired = await deps.store.batches.stopExpired(now, EXPIRED_AT_ONCE);
  for (const id of expired) await deps.store.shards.hasten(id, now);
  const token = formatId('req_', deps.random.bytes(ID_BYTES));
  const due = await deps.store.batches.claimDue({
    now,
    until: now + BATCH_LEASE_SECONDS,
    token,
    limit: BATCHES_AT_ONCE,
  });
  for (const batch of due) await work(deps, batch, token);
  return { batches: due.length, changed: recovered > 0 || expired.length > 0 || due.length > 0 };
}

async function work(deps: Deps, batch: BatchRow, token: string): Promise<void> {
  let nextAt = 0;
  try {
    if (batch.status === 'validating') await startBatch(deps, batch, token);
    else await finalizeBatch(deps, batch, token);
  } catch (error) {
    deps.log.error({ batch: batch.id, status: batch.status, error: describe(error) }, 'batch work failed');
    nextAt = Math.floor(deps.clock.now() / 1000) + RETRY_SECONDS;
  }
  await deps.store.batches.release(batch.id, token, nextAt);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
