/** What there is to say of a line of a segment when it ends. */
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import type { FinishedAttempt } from '../results/line-result.ts';
import type { Job } from './work.ts';

/** The line has come to what it came to. */
export function settleBound(job: Job): void {
  job.segment.batch.allowance.outstanding -= job.boundNano ?? 0;
  job.boundNano = 0;
}

export function finishedAttempt(job: Job, candidate: Candidate, entry: LedgerEntryRow | null): FinishedAttempt {
  const unpriced = entry?.amountNano === null && job.costNano === 0;
  return {
    batchId: job.segment.batch.row.id,
    line: job.line,
    customId: job.request.customId,
    candidate,
    attempts: job.attempts,
    costNano: unpriced ? null : job.costNano,
    warnings: job.warnings,
  };
}

export function noSuchProvider(candidate: Candidate): Failure {
  return refusal(
    'unsupported',
    'provider_unavailable',
    `Provider '${candidate.provider}' is not configured here any more, or takes no single requests.`,
    'model',
  );
}
