import type { Success } from '../../../providers/contract.ts';
import { type Failure, toErrorBody } from '../../core/failure.ts';
import { judge } from '../../core/heal-line.ts';
import type { Unfit, Verdict } from '../../core/healing.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import type { Deps } from '../../ports/deps.ts';
import { CallFailed, type CallInHand, canGo } from './attempts.ts';

/**
 * What becomes of a whole answer by the rules of the candidate at `from`. A stream is never judged: it is delivered as
 * it comes, and what was delivered cannot be taken back.
 */
export function judgeCall(deps: Pick<Deps, 'gates'>, hand: CallInHand, from: number, answer: Success): Verdict {
  if (hand.call.stream !== null) return { do: 'take', warning: null };
  return judge(hand, { from, result: answer }, canGo(deps, hand));
}

/** An answer that was not taken, as the next attempt of its call remembers it. */
export function unfitAnswer(candidate: Candidate, code: string): Unfit {
  return { code, target: targetName(candidate) };
}

/**
 * The end of a call by its route's rules, with the answer beside the error: it was paid for. Clients that retry by
 * themselves are told that the route has done so.
 */
export function unfitCall(failure: Failure, answer: Success, candidate: Candidate): CallFailed {
  const body = `{"error":${JSON.stringify(toErrorBody(failure))},"answer":${answer.body}}`;
  return new CallFailed({ ...failure, status: 502 }, body, candidate, { 'x-should-retry': 'false' });
}
