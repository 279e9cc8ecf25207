/**
 * What to do after a failed attempt. Pure: time and jitter come as arguments.
 *
 *   own fault (bad request, unsupported)   next candidate if its rule admits the status, else give up
 *   target's fault (credentials, quota)    next candidate, else give up
 *   trouble (5xx, timeout, reset, garbage) same candidate up to its retries, then next candidate, else give up
 *   pressure (429, overloaded, refused)    same candidate up to its retries, then next candidate; with none left,
 *                                          round again, up to PRESSURE_TRIES_MAX: pressure passes, a lost line does not
 *
 * A target that has answered and now answers nothing that serves restarts, or what stands before it has lost it: that passes
 * too, and is waited for as pressure is where no other candidate is left.
 *
 * What could not be sent at all costs a line none of its tries under pressure: its provider's breaker lets one line see
 * now and then whether somebody is there again, and the batch's window ends the wait.
 *
 * Where a pool has another member to try, its retries go there: at once, and after the target's fault too, which may be
 * that member's alone. So may be the reason of a refusal: a member with less context, or other options, than the others. One
 * more of them is asked.
 */
import type { Failure, FailureKind } from './failure.ts';
import type { Candidate, EnterOn } from './lane.ts';

/** With waits of at most a minute this outlasts a storm of ten minutes and stays bounded. */
export const PRESSURE_TRIES_MAX = 40;
const BACKOFF_BASE_MS = 250;
const BACKOFF_MAX_MS = 60_000;
/** Nobody comes back sooner, and each try is an entry. */
const RESTART_BACKOFF_MIN_MS = 2_000;
/** The breaker's own longest pause: when a server is back, no line is to wait for much longer. */
const UNREACHABLE_BACKOFF_MAX_MS = 5_000;

/** Where a line stands between attempts. */
export interface LineProgress {
  /** Index into the lane's candidates. */
  candidate: number;
  /** Failed tries on this candidate. */
  tries: number;
  /** Failed tries under pressure, on all candidates. */
  pressure: number;
  /** Members of the candidate where it failed, which it does not go to again while another one is well. */
  avoided?: readonly string[];
  /** One of them refused it for its own sake: if the next one does, too, that stands. */
  refused?: true;
  /** Candidates that it went past, or left, for what passes: where it may come back to while its own takes no lines. */
  passed?: readonly number[];
}

export type NextStep = { do: 'retry'; delayMs: number; progress: LineProgress } | { do: 'fail' };

export type Fault = 'own' | 'target' | 'trouble' | 'pressure' | 'stop';

const FAULTS: Record<FailureKind, Fault> = {
  invalid_request: 'own',
  unsupported: 'own',
  not_found: 'target',
  authentication: 'target',
  permission: 'target',
  quota_exhausted: 'target',
  rate_limited: 'pressure',
  overloaded: 'pressure',
  quota_full: 'pressure',
  server_error: 'trouble',
  timeout: 'trouble',
  connection: 'trouble',
  bad_response: 'trouble',
  cancelled: 'stop',
  expired: 'stop',
  interrupted: 'stop',
};

/** Whose fault a failure is; a server that cannot be reached counts as pressure. */
export function faultOf(failure: Failure): Fault {
  return isPressure(failure) ? 'pressure' : FAULTS[failure.kind];
}

/** True for failures that speak of the target's load, or of a target that cannot be reached at all. */
export function isPressure(failure: Failure): boolean {
  return FAULTS[failure.kind] === 'pressure' || (failure.kind === 'connection' && !failure.reachedProvider);
}

/** Full jitter: uniform between 0 and an exponentially growing bound. `unit` is uniform in [0, 1). */
export function backoffMs(failures: number, unit: number): number {
  return unit * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures, 20));
}

/**
 * Decides the next step of a line whose last attempt failed. `avoided`: the members of its candidate where it failed so
 * far, null when none of the others is well.
 */
export function nextStep(
  candidates: readonly Candidate[],
  progress: LineProgress,
  failure: Failure,
  unit: number,
  avoided: readonly string[] | null = null,
): NextStep {
  const fault = faultOf(failure);
  const passing = failure.passing === true;
  if (fault === 'stop') return { do: 'fail' };
  const candidate = candidates[progress.candidate];
  if (!candidate) return { do: 'fail' };
  const isAway = failure.kind === 'connection' && !failure.reachedProvider;
  const pressure = progress.pressure + ((fault === 'pressure' && !isAway) || passing ? 1 : 0);
  const tries = progress.tries + 1;
  if (pressure >= PRESSURE_TRIES_MAX) return { do: 'fail' };

  const next = nextCandidate(candidates, progress.candidate, failure, fault);
  const isHeld = passing && avoided === null && next === null;
  const isDoubted = fault === 'own' && failure.reachedProvider && avoided !== null && progress.refused !== true;
  const mayPass = isDoubted || (fault === 'target' ? avoided !== null : fault !== 'own' && retries(candidate, failure));
  if (mayPass && !isHeld && tries <= candidate.retry.attempts) {
    // What one member asks for need not keep a line from the others.
    const asked = candidate.retry.useRetryAfter && avoided === null ? (failure.retryAfterMs ?? 0) : 0;
    const { avoided: _before, ...rest } = progress;
    return {
      do: 'retry',
      delayMs: isDoubted ? 0 : asked + backoffMs(tries - 1, unit),
      progress: {
        ...rest,
        tries,
        pressure,
        ...(avoided !== null && { avoided }),
        ...(isDoubted && { refused: true }),
      },
    };
  }
  if (next !== null) {
    const { passed } = passing || fault === 'pressure' ? pastTo(progress, next) : progress;
    return { do: 'retry', delayMs: 0, progress: { candidate: next, tries: 0, pressure, ...(passed && { passed }) } };
  }
  const passes = passing || (fault === 'pressure' && retries(candidate, failure));
  if (passes && candidate.retry.attempts > 0) {
    const stated = candidate.retry.useRetryAfter ? (failure.retryAfterMs ?? 0) : 0;
    const least = passing ? Math.max(stated, RESTART_BACKOFF_MIN_MS) : stated;
    return {
      do: 'retry',
      delayMs: isAway ? unit * UNREACHABLE_BACKOFF_MAX_MS : Math.max(least, backoffMs(pressure, unit)),
      // What passes costs none of its tries, and gives none back.
      progress: { candidate: 0, tries: passing && progress.candidate === 0 ? progress.tries : 0, pressure },
    };
  }
  return { do: 'fail' };
}

/** The candidate a line may move on to without a call, because its present one cannot be reached; null for none. */
export function detour(candidates: readonly Candidate[], from: number): number | null {
  const rule = candidates[from + 1]?.enterOn;
  return rule === 'any' || rule === 'trouble' ? from + 1 : null;
}

/** The progress of a line that goes from its candidate to another one, for a reason that passes. */
export function pastTo(progress: LineProgress, candidate: number): LineProgress {
  const passed = [...(progress.passed ?? []), progress.candidate].filter((index) => index !== candidate);
  return { ...progress, candidate, tries: 0, passed: [...new Set(passed)] };
}

/**
 * How long a line waits that goes from its candidate to `candidate` without a call: coming back to one that it left under
 * pressure, so long as it would have waited there. `unit` is uniform in [0, 1).
 */
export function moveDelayMs({ candidate: from, pressure }: LineProgress, candidate: number, unit: number): number {
  return candidate < from && pressure > 0 ? backoffMs(pressure, unit) : 0;
}

/** A failure without a status (a reset, a timeout) is always worth its retries. */
function retries(candidate: Candidate, failure: Failure): boolean {
  return failure.status === null || failure.status < 400 || candidate.retry.onStatusCodes.includes(failure.status);
}

/** Whether a candidate's rule lets a line in after a failure. No answer, or an unreadable one, counts as status 500. */
export function admits(rule: EnterOn | undefined, failure: Failure, fault: Fault): boolean {
  if (rule === 'any' || rule === undefined) return rule === 'any';
  if (rule === 'trouble') return fault !== 'own';
  return rule.includes(failure.status !== null && failure.status >= 400 ? failure.status : 500);
}

function nextCandidate(
  candidates: readonly Candidate[],
  from: number,
  failure: Failure,
  fault: Exclude<Fault, 'stop'>,
): number | null {
  for (let index = from + 1; index < candidates.length; index++) {
    const rule = candidates[index]?.enterOn;
    if (admits(rule, failure, fault)) return index;
  }
  return null;
}
