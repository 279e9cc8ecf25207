/** Pure decisions about shards: which mode a target is used in, when to look again, and what follows a failed line. */
import type { Failure } from './failure.ts';
import type { Candidate } from './lane.ts';
import { admits, faultOf } from './retry.ts';

/** Shorter windows than this are no promise a provider's batch service can keep. */
const BATCH_WINDOW_SECONDS_MIN = 3_600;
const POLL_SECONDS_MAX = 300;

export interface Capabilities {
  batch: boolean;
  immediate: boolean;
}

/** How a candidate is used; null when it can do nothing for this batch. */
export function modeOf(
  candidate: Pick<Candidate, 'mode'>,
  can: Capabilities,
  window: { immediate: boolean; seconds: number },
): 'batch' | 'immediate' | null {
  if (candidate.mode === 'immediate' || window.immediate) return can.immediate ? 'immediate' : null;
  if (candidate.mode === 'batch') return can.batch ? 'batch' : null;
  if (can.batch && (window.seconds >= BATCH_WINDOW_SECONDS_MIN || !can.immediate)) return 'batch';
  return can.immediate ? 'immediate' : null;
}

/** Seconds until a shard of this age is looked at again: a twentieth of its age, jittered by a fifth either way. */
export function pollSeconds(ageSeconds: number, minSeconds: number, unit: number): number {
  const base = Math.min(Math.max(POLL_SECONDS_MAX, minSeconds), Math.max(minSeconds, ageSeconds / 20));
  return Math.max(minSeconds, Math.round(base * (0.8 + 0.4 * unit)));
}

/** Seconds until a refused submit is tried again: doubling from twice `minSeconds` to a quarter of an hour, jittered. */
export function requeueSeconds(tries: number, minSeconds: number, unit: number): number {
  const bound = Math.min(900, minSeconds * 2 ** Math.min(tries + 1, 10));
  return Math.max(minSeconds, Math.round(bound * (0.5 + unit / 2)));
}

/**
 * When the unfinished lines of a running provider batch are called back so that faster lanes can still do them: with a
 * fifth of the window left, at most two hours before its end; earlier when the route says so.
 */
export function rescueAt(batch: { createdAt: number; expiresAt: number }, afterSeconds: number | null): number {
  const window = batch.expiresAt - batch.createdAt;
  const latest = batch.expiresAt - Math.min(7_200, Math.floor(window / 5));
  return afterSeconds === null ? latest : Math.min(latest, batch.createdAt + afterSeconds);
}

/**
 * The latest moment (Unix seconds) until which a shard may wait for the hours of its target: its provider has an hour then
 * before its lines are called back, or in a short window a quarter of that.
 */
export function latestStart(batch: { createdAt: number; expiresAt: number }, afterSeconds: number | null): number {
  const least = Math.min(BATCH_WINDOW_SECONDS_MIN, Math.floor((batch.expiresAt - batch.createdAt) / 4));
  return rescueAt(batch, afterSeconds) - least;
}

/** What only a batch service refuses: single requests of the same kind may well be taken. */
const BATCH_ONLY_CODES: ReadonlySet<string> = new Set([
  'unsupported_in_batch',
  'too_large_for_batch',
  'too_few_for_batch',
  'batch_refused',
]);

/** What a line of a shard does next after a failure: an index into the lane's candidates, or null to fail for good. */
export function afterShardFailure(
  candidates: readonly Candidate[],
  from: number,
  failure: Failure,
  sameTargetImmediate: boolean,
): number | null {
  const fault = BATCH_ONLY_CODES.has(failure.code) ? 'trouble' : faultOf(failure);
  if (fault !== 'own' && fault !== 'target' && sameTargetImmediate) return from;
  const next = candidates.findIndex((candidate, index) => index > from && admits(candidate.enterOn, failure, fault));
  return next < 0 ? null : next;
}
