import { ApiError } from '../../../core/api-error.ts';
import { isTerminal } from '../../../core/batch-state.ts';
import type { Context, Deps } from '../../../ports/deps.ts';
import type { BatchRow } from '../../../ports/store-batches.ts';
import type { EvalLease } from '../../../ports/store-evals.ts';
import { cancelBatch } from '../../batches/cancel.ts';
import { deleteFile } from '../../files/delete.ts';
import { PARTS, partContext, partId } from './turn.ts';

const ROWS_AT_ONCE = 500;
const PURGES_AT_ONCE = 100;

/**
 * Ends what a cancelled or deleted run has begun: its batches are cancelled, by the ids that they have whether or not the
 * run got to know them. What a deleted run held goes, files too. False when there is more to do later.
 */
export async function cleanUp(deps: Deps, lease: EvalLease, token: string): Promise<boolean> {
  const { run } = lease;
  const live = await stopBatches(deps, lease);
  if (run.deletedAt === null) {
    await deps.store.evalWork.close(run.id, token);
    return true;
  }
  // Its batches' files can go when they have written them.
  if (live > 0) return false;
  for (const { context, batch } of await partsOf(deps, lease)) await deleteFiles(deps, context, batch);
  for (let round = 0; await deps.store.evalWork.purge(run.id, ROWS_AT_ONCE); round += 1) {
    if (round === PURGES_AT_ONCE) return false;
  }
  await deps.store.evalWork.close(run.id, token);
  return true;
}

/** Cancels the batches of a run that have not ended; answers how many there were. */
export async function stopBatches(deps: Deps, lease: EvalLease): Promise<number> {
  let live = 0;
  for (const { context, batch } of await partsOf(deps, lease)) {
    if (batch === null || isTerminal(batch.status)) continue;
    live += 1;
    await cancelBatch(deps, context, batch.id).catch(ignoreRefusal);
  }
  return live;
}

function partsOf(deps: Deps, { run, targets }: EvalLease): Promise<{ context: Context; batch: BatchRow | null }[]> {
  const parts = targets.flatMap(({ target }) => PARTS.map((part) => ({ target, part })));
  return Promise.all(
    parts.map(async ({ target, part }) => ({
      context: partContext(run, target, part, new AbortController().signal),
      batch: await deps.store.batches.get('all', partId(run.id, target, part, 'batch_')),
    })),
  );
}

async function deleteFiles(deps: Deps, context: Context, batch: BatchRow | null): Promise<void> {
  for (const id of [context.newId('file-'), batch?.outputFileId, batch?.errorFileId]) {
    if (id != null) await deleteFile(deps, context, id).catch(ignoreRefusal);
  }
}

/** It has ended, or is gone, already. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof ApiError && (error.status === 404 || error.status === 409))) throw error;
}
