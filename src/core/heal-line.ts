/** How a request goes on by the rules of its targets, after an answer that may not serve and after a retry that failed. */
import type { RequestLine } from '../protocol/request-line.ts';
import type { Failure } from './failure.ts';
import { isRaiseRefused, type JudgedLine, judgeAnswer, type Unfit, type Verdict } from './healing.ts';
import type { Candidate } from './lane.ts';
import { applyParams } from './params.ts';

/** An answer that was not taken, and the index of the candidate that gave it. */
export interface SpareAnswer<Answer> {
  from: number;
  result: Answer;
}

/** A request on its way to an answer that serves: a line of a batch, or a call. */
export interface HealedRequest<Answer> {
  request: RequestLine;
  candidates: readonly Candidate[];
  /** Its answers that were not taken. */
  unfit: readonly Unfit[];
  /** The last of them, where it is at hand: what is left if its retry fails. */
  spare: SpareAnswer<Answer> | null;
  /** Indexes of candidates that refused a larger limit than the request's own. */
  atMaximum: number[];
}

/** In OpenAI's shape. */
interface Answered {
  readonly body: string;
}

/** An answer that ends its request: it is taken, or fails, as the rules say. */
export interface Settled<Answer> extends SpareAnswer<Answer> {
  verdict: Exclude<Verdict, { do: 'retry' }>;
}

export type Recourse<Answer> =
  | { do: 'go'; candidate: number }
  /** The answer before is what there is. */
  | (Settled<Answer> & { do: 'settle'; warning: string });

/** What becomes of the answer that candidate `from` gave, by the rules of its target. */
export function judge(
  { candidates, request, atMaximum, unfit }: HealedRequest<unknown>,
  { from, result }: SpareAnswer<Answered>,
  canGo: JudgedLine['canGo'],
  before = unfit,
): Verdict {
  const candidate = candidates[from];
  if (candidate?.healing === undefined) return { do: 'take', warning: null };
  return judgeAnswer(
    { endpoint: request.endpoint, request: applyParams(request.body, candidate.params), body: result.body },
    { candidates, from, before, canGo, isAtMaximum: atMaximum.includes(from) },
  );
}

/**
 * What there is for a request that would fail at the candidate `at`, after an answer that was paid for: called once no other
 * step is left. A target that refuses the raised limit is asked for no more than the request's own again. The answer that came
 * before serves as if no retry had been left. null: there is no such answer.
 */
export function recourseOf<Answer extends Answered>(
  line: HealedRequest<Answer>,
  at: number,
  failure: Failure,
  canGo: JudgedLine['canGo'],
): Recourse<Answer> | null {
  const { candidates, unfit, spare, atMaximum, request } = line;
  const candidate = candidates[at];
  if (unfit.length === 0 || candidate === undefined) return null;
  const isRefused = !atMaximum.includes(at) && isRaiseRefused(request.body, candidate, unfit, failure);
  if (isRefused) atMaximum.push(at);
  // An answer of a provider batch, or of an earlier lease, is not at hand any more.
  if (spare === null) return isRefused ? { do: 'go', candidate: at } : null;
  // A retry that was refused is none: another target may still take it.
  const verdict = isRefused ? judge(line, spare, canGo, unfit.slice(0, -1)) : judge(line, spare, () => false);
  if (verdict.do === 'retry') return { do: 'go', candidate: verdict.candidate };
  return { do: 'settle', ...spare, verdict, warning: `a retry failed: ${failure.message}` };
}

/** The answer that ends a request which is not tried again, as its batch stops; null where none is at hand. */
export function leftOf<Answer extends Answered>(line: HealedRequest<Answer>): Settled<Answer> | null {
  const { spare, unfit } = line;
  if (spare === null) return null;
  const verdict = judge(line, spare, () => false, unfit.slice(0, -1));
  return verdict.do === 'retry' ? null : { ...spare, verdict };
}

/** What of a request's answers the next one is to be asked with: none at a target that takes no larger limit. */
export function unfitAt({ unfit, atMaximum }: HealedRequest<unknown>, candidate: number): readonly Unfit[] {
  return atMaximum.includes(candidate) ? [] : unfit;
}
