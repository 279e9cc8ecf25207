import type { Success } from '../../../providers/contract.ts';
import { type Failure, toErrorBody } from '../../core/failure.ts';
import { judgeAnswer, type Unfit, type Verdict } from '../../core/healing.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { applyParams } from '../../core/params.ts';
import type { Deps } from '../../ports/deps.ts';
import { CallFailed } from './attempts.ts';
import type { Call } from './read-call.ts';

/** A call whose answers are judged by its route's rules. */
interface JudgedCall {
  call: Call;
  candidates: readonly Candidate[];
  unfit: readonly Unfit[];
}

/**
 * What becomes of a whole answer by the rules of the candidate at `from`. A stream is never judged: it is delivered as
 * it comes, and what was delivered cannot be taken back.
 */
export function judgeCall({ gates }: Pick<Deps, 'gates'>, judged: JudgedCall, from: number, answer: Success): Verdict {
  const { call, candidates, unfit } = judged;
  const candidate = candidates[from];
  if (candidate?.healing === undefined || call.stream !== null) return { do: 'take', warning: null };
  const { endpoint, body } = call.request;
  return judgeAnswer(
    { endpoint, request: applyParams(body, candidate.params), body: answer.body },
    {
      candidates,
      from,
      before: unfit,
      canGo: (index) => candidates[index] !== undefined && gates.has(candidates[index].provider),
    },
  );
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
