import type { Success } from '../../../providers/contract.ts';
import { ApiError } from '../../core/api-error.ts';
import { type Failure, toErrorBody } from '../../core/failure.ts';
import { judge, type SpareAnswer } from '../../core/heal-line.ts';
import type { Unfit, Verdict } from '../../core/healing.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { requestFor } from '../../core/request-for.ts';
import type { Deps } from '../../ports/deps.ts';
import type { CallBudgets, CallToHold } from '../budgets/call-budgets.ts';
import { CallFailed, type CallHold, type CallInHand, canGo } from './attempts.ts';

/**
 * What becomes of a whole answer by the rules of the candidate at `from`. A stream is never judged: it is delivered as
 * it comes, and what was delivered cannot be taken back.
 */
export function judgeCall(deps: Pick<Deps, 'gates'>, hand: CallInHand, from: number, answer: Success): Verdict {
  if (hand.call.stream !== null) return { do: 'take', warning: null };
  return judge(hand, { from, result: answer }, canGo(deps, hand));
}

/** Whether budgets cover the call. */
export function isCovered(hand: CallInHand): hand is CallInHand & { hold: CallHold } {
  return hand.hold !== null;
}

/**
 * The verdict on an answer whose retry is paid for beside it, and what is held for that. Where the call's budgets have no room,
 * or do not answer, the answer is judged as if no retry were left.
 */
export async function affordRetry(
  budgets: Pick<CallBudgets, 'hold'>,
  hand: CallInHand & { hold: CallHold },
  { from, result }: SpareAnswer<Success>,
  retry: Extract<Verdict, { do: 'retry' }>,
): Promise<{ verdict: Verdict; hold: string | null }> {
  try {
    return { verdict: retry, hold: await budgets.hold(retrySpending(hand, from, retry)) };
  } catch (error) {
    hand.notes.push(`no retry was made: ${error instanceof ApiError ? error.message : 'its budgets do not answer'}`);
    return { verdict: judge(hand, { from, result }, () => false), hold: null };
  }
}

/** The retry as budgets see it: with the limits that it raises. */
function retrySpending(
  { hold: { spending }, call, candidates, unfit }: CallInHand & { hold: CallHold },
  from: number,
  { candidate, code }: Extract<Verdict, { do: 'retry' }>,
): CallToHold {
  const [by, to] = [candidates[from], candidates[candidate]];
  if (by === undefined || to === undefined) throw new Error('a call is tried again by no candidate');
  const request = requestFor(call.request, to, [...unfit, unfitAnswer(by, code)]);
  return { ...spending, request, candidates: candidates.slice(candidate) };
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
