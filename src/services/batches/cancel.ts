import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { presentBatch } from './present.ts';

/** Asks a batch to stop: what is in flight finishes, the rest becomes `batch_cancelled`. Repeating it changes nothing. */
export async function cancelBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  const row = await deps.store.batches.cancel(scopeOf(context.actor), id, unixSeconds(deps.clock));
  if (!row) throw notFound('batch', id);
  if (row.status !== 'cancelling' && row.status !== 'cancelled') {
    throw new ApiError(409, `Cannot cancel a batch with status '${row.status}'.`, { code: 'batch_not_cancellable' });
  }
  await deps.store.shards.hasten(id, unixSeconds(deps.clock));
  deps.nudge();
  return presentBatch(row);
}
