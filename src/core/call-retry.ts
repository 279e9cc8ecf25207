import type { Failure } from './failure.ts';
import type { Candidate } from './lane.ts';
import { type LineProgress, type NextStep, nextStep } from './retry.ts';

/** Waits between the tries of one call, in all: longer waits are the client's to decide about. */
export const CALL_WAIT_MAX_MS = 60_000;

/** How long a call waits for room at a target while there is another one it could go to, and at the last of them. */
export const ROOM_WAIT_MS = 2_000;
export const LAST_WAIT_MS = 60_000;

/** The longest that one call may take, with all its tries and waits; `timeoutMs`: of targets that state none. */
export function longestCallMs(candidates: readonly Candidate[], timeoutMs: number): number {
  const tries = candidates.map(
    ({ retry, requestTimeoutMs }) => (1 + retry.attempts) * ((requestTimeoutMs ?? timeoutMs) + LAST_WAIT_MS),
  );
  return tries.reduce((sum, ms) => sum + ms, CALL_WAIT_MAX_MS);
}

/**
 * The next step of a synchronous call. As for a batch's line, except that somebody waits: there is no second round
 * over the candidates, and no waiting beyond CALL_WAIT_MAX_MS. `waitedMs` is what the call has waited so far; `avoided` as
 * for nextStep.
 */
export function nextCallStep(
  candidates: readonly Candidate[],
  progress: LineProgress,
  failure: Failure,
  unit: number,
  waitedMs: number,
  avoided: readonly string[] | null = null,
): NextStep {
  const step = nextStep(candidates, progress, failure, unit, avoided);
  if (step.do === 'fail') return step;
  const again = step.progress.candidate === progress.candidate && step.progress.tries > progress.tries;
  const onward = step.progress.candidate > progress.candidate;
  if (!again && !onward) return { do: 'fail' };
  const mayWait = waitedMs + step.delayMs <= CALL_WAIT_MAX_MS;
  if (mayWait && !isFull(failure)) return step;
  // Too long a wait for this target, or for its room: the next one may have some now.
  const patient = nextStep(candidates, { ...progress, tries: Number.MAX_SAFE_INTEGER - 1 }, failure, unit);
  if (patient.do === 'retry' && patient.progress.candidate > progress.candidate) return patient;
  return mayWait ? step : { do: 'fail' };
}

/** Whether the call was not sent, as its target had no room for it, nor would have soon. */
function isFull({ kind, reachedProvider }: Failure): boolean {
  return !reachedProvider && (kind === 'rate_limited' || kind === 'overloaded');
}
