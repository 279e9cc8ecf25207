import type { Failure } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Progress } from '../contract.ts';
import type { AnswerContext, ParsedAnswer } from '../shared/answer.ts';
import { failureOfGoogle } from '../shared/google-status.ts';

export { failureOfGoogle as failureOf, failureOfStatus, failureOfStatusText } from '../shared/google-status.ts';

type JobEnd = Pick<Progress, 'state' | 'reason'>;

const running: JobEnd = { state: 'running', reason: null };

/**
 * What each state of a job means (google.cloud.aiplatform.v1.JobState). A paused job goes on when it is resumed; a word
 * of tomorrow never ends a batch.
 */
const jobStates: Readonly<Record<string, JobEnd>> = {
  JOB_STATE_UNSPECIFIED: running,
  JOB_STATE_QUEUED: running,
  JOB_STATE_PENDING: running,
  JOB_STATE_RUNNING: running,
  JOB_STATE_UPDATING: running,
  JOB_STATE_PAUSED: running,
  JOB_STATE_CANCELLING: running,
  JOB_STATE_SUCCEEDED: { state: 'ended', reason: 'completed' },
  JOB_STATE_PARTIALLY_SUCCEEDED: { state: 'ended', reason: 'completed' },
  JOB_STATE_EXPIRED: { state: 'ended', reason: 'expired' },
  JOB_STATE_CANCELLED: { state: 'ended', reason: 'cancelled' },
  JOB_STATE_FAILED: { state: 'failed', reason: 'failed' },
};

export function jobEndOf(word: string): JobEnd {
  return (Object.hasOwn(jobStates, word) ? jobStates[word] : undefined) ?? running;
}

/** The failure of an answer to creating a job: a full queue is a matter of time there. */
export function failureOfCreate(response: HttpResponse, answer: ParsedAnswer, context: AnswerContext): Failure {
  const failure = failureOfGoogle(response, answer, context);
  return failure.kind === 'rate_limited' ? { ...failure, kind: 'quota_full', code: 'quota_full' } : failure;
}
