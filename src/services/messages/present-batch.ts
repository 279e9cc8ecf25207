import { isTerminal } from '../../core/batch-state.ts';
import type { Fields } from '../../core/fields.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { resultsGoneAt } from '../batches/results-gone.ts';
import { toMessageId } from './batch-id.ts';

/** The batch as Anthropic's clients see it; `origin` is where they find its results. */
export async function presentMessageBatch(
  deps: Pick<Deps, 'store' | 'clock'>,
  batch: BatchRow,
  origin: string,
): Promise<Fields> {
  const ended = isTerminal(batch.status);
  const id = toMessageId(batch.id);
  const end = batch.completedAt ?? batch.failedAt ?? batch.expiredAt ?? batch.cancelledAt;
  return {
    id,
    type: 'message_batch',
    processing_status: ended ? 'ended' : batch.status === 'cancelling' ? 'canceling' : 'in_progress',
    request_counts: ended ? countsOf(batch) : { ...NONE, processing: await requestsOf(deps, batch) },
    created_at: time(batch.createdAt),
    expires_at: time(batch.expiresAt),
    ended_at: time(end),
    cancel_initiated_at: time(batch.cancellingAt),
    archived_at: time(await resultsGoneAt(deps, batch)),
    results_url: ended ? `${origin}/v1/messages/batches/${id}/results` : null,
  };
}

const NONE = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 };

function countsOf({ completed, failed, neverRun }: BatchRow): typeof NONE {
  const { cancelled, expired } = neverRun ?? { cancelled: 0, expired: 0 };
  return { processing: 0, succeeded: completed, errored: failed - cancelled - expired, canceled: cancelled, expired };
}

/** As at Anthropic, nothing but the whole is counted before the end; its lines are known before it starts. */
async function requestsOf({ store }: Pick<Deps, 'store'>, { total, inputFileId }: BatchRow): Promise<number> {
  return total > 0 ? total : ((await store.files.getAny(inputFileId))?.plan?.requests ?? 0);
}

function time(seconds: number | null): string | null {
  return seconds === null ? null : new Date(seconds * 1_000).toISOString();
}
