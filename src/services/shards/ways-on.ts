/** Where a line of a shard goes on, after a failure or after an answer that is not taken. */
import type { Result } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { isRaiseRefused, judgeAnswer, type Unfit, type Verdict } from '../../core/healing.ts';
import { applyParams } from '../../core/params.ts';
import { afterShardFailure, rescueAt } from '../../core/shard-plan.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import type { ShardWork } from './shard-work.ts';

/** What became of a line at a target. */
interface Ended {
  request: RequestLine;
  result: Result | null;
  failure: Failure | null;
}

type At = Pick<ShardWork, 'lane' | 'shard' | 'provider' | 'candidate'>;

/** The next candidate that a line goes to after this failure, in its lane; null when it fails for good. */
export function nextCandidate(work: At, failure: Failure): number | null {
  return afterShardFailure(work.lane.candidates, work.shard.candidate, failure, isAlsoSingle(work));
}

/** Whether a line that failed is taken elsewhere: what is too much to ask with a larger limit is asked for without it, one by one. */
export function outlives(work: At, { request, failure }: Ended, before: readonly Unfit[]): boolean {
  if (failure === null) return false;
  if (nextCandidate(work, failure) !== null) return true;
  if (!isRaiseRefused(request.body, work.candidate, before, failure)) return false;
  return isAlsoSingle(work) || work.lane.candidates[work.shard.candidate + 1] !== undefined;
}

/** Whether the lines of a provider batch may go to its target one by one. */
export function isAlsoSingle({ provider, candidate }: Pick<ShardWork, 'provider' | 'candidate'>): boolean {
  return provider.immediate !== undefined && candidate.mode === 'auto';
}

/** Whether another provider batch could still keep the window: lines that were called back late go to single requests. */
export function leavesTime({ deps, shard, batch }: Pick<ShardWork, 'deps' | 'shard' | 'batch'>): boolean {
  const now = unixSeconds(deps.clock);
  if (now >= rescueAt(batch, null)) return false;
  return shard.cancelAskedAt === null || (batch.expiresAt - now) * 2 >= batch.expiresAt - batch.createdAt;
}

const TAKEN: Verdict = { do: 'take', warning: null };

/**
 * What becomes of an answer by the rules of its target; a retry goes where the shard's lines without a result go (end.ts).
 * `last`: there is no other try, so that the answer is taken or fails.
 */
export function judge(work: ShardWork, { request, result }: Ended, before: readonly Unfit[], last: boolean): Verdict {
  const { lane, shard, candidate } = work;
  if (candidate.healing === undefined || !result?.ok) return TAKEN;
  const sameTarget = isAlsoSingle(work) || leavesTime(work);
  return judgeAnswer(
    { endpoint: request.endpoint, request: applyParams(request.body, candidate.params), body: result.body },
    {
      candidates: lane.candidates,
      from: shard.candidate,
      before,
      canGo: (index) => !last && (index === shard.candidate ? sameTarget : lane.candidates[index] !== undefined),
    },
  );
}
