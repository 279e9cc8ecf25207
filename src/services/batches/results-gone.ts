import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';

/** True when an ended batch's output file (its error file, if it has no other) was deleted or has expired. */
export async function areResultsGone(deps: Pick<Deps, 'store' | 'clock'>, batch: BatchRow): Promise<boolean> {
  return (await resultsGoneAt(deps, batch)) !== null;
}

/** Since when the results are gone, in unix seconds; null while they are there, or are not there yet. */
export async function resultsGoneAt(deps: Pick<Deps, 'store' | 'clock'>, batch: BatchRow): Promise<number | null> {
  const id = batch.outputFileId ?? batch.errorFileId;
  if (!isTerminal(batch.status) || id === null) return null;
  const file = await deps.store.files.getAny(id);
  const now = unixSeconds(deps.clock);
  if (file === null) return now;
  const isExpired = file.expiresAt !== null && file.expiresAt <= now;
  return file.deletedAt ?? (isExpired ? file.expiresAt : null);
}

/** Throws ApiError 410 when the results are gone: whoever deletes the file deletes every view of it. */
export async function requireResults(deps: Pick<Deps, 'store' | 'clock'>, batch: BatchRow): Promise<void> {
  if (!(await areResultsGone(deps, batch))) return;
  const message = `The results of batch ${batch.id} were deleted or have expired. Its counts, cost and ledger remain.`;
  throw new ApiError(410, message, { code: 'results_gone' });
}
