/** What there is to say of a line of a segment when it ends. */
import { describeError } from '../../core/describe-error.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { givenUp } from '../results/given-up.ts';
import type { FinishedAttempt, LineResult } from '../results/line-result.ts';
import { SpareAnswers } from '../results/spare-answers.ts';
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

/** The answer of a provider batch that a line is left with whose retry failed; null where there is none. Never rejects. */
export async function keptAnswer(
  deps: Pick<Deps, 'store' | 'files' | 'log'>,
  { batchId, line, attempts, costNano }: FinishedAttempt,
  failure: Failure,
): Promise<LineResult | null> {
  const answers = new SpareAnswers(givenUp(deps), { batchId, firstLine: line, lastLine: line });
  const warning = `a retry failed: ${failure.message}`;
  return answers.resultOf(line, { attempts, costNano, warning }).catch((error: unknown) => {
    deps.log.error({ batch: batchId, line: line + 1, error: describeError(error) }, 'a kept answer is unreadable');
    return null;
  });
}

export function noSuchProvider(candidate: Candidate): Failure {
  return refusal(
    'unsupported',
    'provider_unavailable',
    `Provider '${candidate.provider}' is not configured here any more, or takes no single requests.`,
    'model',
  );
}
