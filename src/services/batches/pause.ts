import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { presentBatch } from './present.ts';

/** Holds a batch: what is in flight finishes, nothing new is sent. Its window goes on running. */
export function pauseBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  return setPaused(deps, context, id, unixSeconds(deps.clock));
}

/** Lets a held batch go on. */
export function resumeBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  return setPaused(deps, context, id, null);
}

async function setPaused(deps: Deps, context: Context, id: string, pausedAt: number | null): Promise<BatchObject> {
  const row = await deps.store.batches.setPaused(scopeOf(context.actor), id, pausedAt);
  if (!row) throw notFound('batch', id);
  if (row.status !== 'validating' && row.status !== 'in_progress') {
    const verb = pausedAt === null ? 'resume' : 'pause';
    throw new ApiError(409, `Cannot ${verb} a batch with status '${row.status}'.`, { code: 'batch_not_running' });
  }
  deps.nudge();
  return presentBatch(row);
}
