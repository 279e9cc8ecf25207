/**
 * Answers that came, and were paid for, but may not serve: cut off by their length limit, no JSON where JSON was asked
 * for, or a refusal. A route says what becomes of them: taken as they are, tried again, or failed.
 */
import type { Endpoint } from '../protocol/endpoint.ts';
import { answerTokens, defectOf } from './answer-defects.ts';
import { type Failure, refusal } from './failure.ts';
import { type AnswerLimit, type Candidate, type HealingRule, targetName } from './lane.ts';
import { applyParams } from './params.ts';
import { faultOf } from './retry.ts';
import { OUTPUT_LIMITS } from './tokens.ts';

export type Defect = 'truncation' | 'invalid_json' | 'refusal';

/** An answer of a line that was not taken, as the ledger remembers it. */
export interface Unfit {
  code: string;
  /** The target that gave it. */
  target: string;
}

/** Codes of entries and failed lines. */
const CODES: Readonly<Record<Defect, string>> = {
  truncation: 'answer_truncated',
  invalid_json: 'answer_invalid_json',
  refusal: 'answer_refused',
};

export const UNFIT_CODES: readonly string[] = Object.values(CODES);

export type Verdict =
  /** Takes the answer; `warning` says what is wrong with it all the same. */
  | { do: 'take'; warning: string | null }
  | { do: 'fail'; failure: Failure }
  | { do: 'retry'; code: string; candidate: number; warning: string };

export interface JudgedAnswer {
  endpoint: Endpoint;
  /** The request's body as its target was asked, but for limits that were raised. */
  request: Readonly<Record<string, unknown>>;
  /** The answer in OpenAI's shape. */
  body: string;
}

/** Where an answer came from, and what came before it. */
export interface JudgedLine {
  candidates: readonly Candidate[];
  /** Index of the candidate that answered. */
  from: number;
  /** The line's earlier answers that were not taken. */
  before: readonly Unfit[];
  /** Whether the candidate at an index can take the line again. */
  canGo(candidate: number): boolean;
  /** True once the candidate has refused a larger limit: its answers cannot become longer. */
  isAtMaximum?: boolean;
}

/** What becomes of an answer by the rules of the candidate that gave it. */
export function judgeAnswer(answer: JudgedAnswer, line: JudgedLine): Verdict {
  const candidate = line.candidates[line.from];
  const found = candidate?.healing && defectOf(answer, candidate.healing);
  const rule = found && candidate.healing?.[found.defect];
  if (!found || !rule) return { do: 'take', warning: null };
  const { defect, detail } = found;
  const code = CODES[defect];
  const tried = line.before.filter((unfit) => unfit.code === code).length;
  const next = rule.action === 'retry' && tried < rule.attempts ? retryAt(rule, defect, answer, line) : null;
  if (next !== null) {
    const warning = `on_${defect}: an answer of ${targetName(candidate)} was not taken: ${detail}`;
    return { do: 'retry', code, candidate: next, warning };
  }
  const retries = tried === 0 ? '' : `, also after ${tried} ${tried === 1 ? 'retry' : 'retries'}`;
  if (rule.action === 'fail' || rule.otherwise === 'fail')
    return { do: 'fail', failure: failureOf(code, detail + retries) };
  return { do: 'take', warning: `on_${defect}: ${detail}${retries}; taken as it is` };
}

/** The candidate to try again at; null when no other answer is to be expected anywhere. */
function retryAt(rule: HealingRule, defect: Defect, answer: JudgedAnswer, line: JudgedLine): number | null {
  const { from, canGo, before, candidates, isAtMaximum = false } = line;
  const candidate = candidates[from];
  const mayServe =
    defect !== 'truncation' ||
    (!isAtMaximum &&
      candidate &&
      canRaise(answer.request, candidate, before) &&
      !isOutOfRoom(answer, candidate, before));
  const same = mayServe ? [from] : [];
  const order = rule.to === 'next' ? [from + 1, ...same] : [...same, from + 1];
  return order.find(canGo) ?? null;
}

/** What the result of a line says of an answer before it, of which only the ledger knows by now. */
export function unfitWarning({ code, target }: Unfit): string {
  return `${code}: an answer of ${target} was not taken`;
}

/** Where a line starts that left unfit answers behind under an earlier lease or in a provider batch. */
export function resumeAt(candidates: readonly Candidate[], before: readonly Unfit[]): number {
  const last = before.at(-1);
  const at = candidates.findIndex((candidate) => targetName(candidate) === last?.target);
  const defect = last && defectOfCode(last.code);
  const rule = defect && candidates[at]?.healing?.[defect];
  return rule?.to === 'next' && at + 1 < candidates.length ? at + 1 : 0;
}

/**
 * The request with its length limits raised, once for each answer that was cut off: as far as the target can be asked for, and
 * from what it gives requests that name none.
 */
export function raiseLimits(
  request: Record<string, unknown>,
  candidate: Pick<Candidate, 'healing'>,
  before: readonly Unfit[],
): Record<string, unknown> {
  const cut = before.filter(({ code }) => code === CODES.truncation).length;
  const { maxTokensFactor: factor = 1, limit = null } = candidate.healing?.truncation ?? {};
  if (cut === 0 || factor === 1) return request;
  const raised = statedLimits(request, limit).flatMap(([name, stated]) => {
    const asked = Math.min(Math.ceil(stated * factor ** cut), limit?.most ?? Number.POSITIVE_INFINITY);
    return asked > stated ? [[name, asked] as const] : [];
  });
  return raised.length === 0 ? request : { ...request, ...Object.fromEntries(raised) };
}

/**
 * Whether a candidate refused a request because of what its answers before made of it: a limit that is beyond the model's
 * own, or beyond what its context leaves. The request's own limit it may take.
 */
export function isRaiseRefused(
  request: Record<string, unknown>,
  candidate: Pick<Candidate, 'healing' | 'params'>,
  before: readonly Unfit[],
  failure: Failure,
): boolean {
  if (faultOf(failure) !== 'own') return false;
  const stated = applyParams(request, candidate.params);
  return raiseLimits(stated, candidate, before) !== stated;
}

type Body = Readonly<Record<string, unknown>>;

/** The limits that a request is sent with, by their names: those that it names, else what its target gives it. */
function statedLimits(request: Body, limit: AnswerLimit | null): [string, number][] {
  const named = OUTPUT_LIMITS.filter((name) => typeof request[name] === 'number');
  if (named.length > 0 || limit === null) return named.map((name) => [name, Number(request[name])]);
  if (request.messages !== undefined) return [['max_tokens', limit.usual]];
  return request.input === undefined ? [] : [['max_output_tokens', limit.usual]];
}

/** Whether a request can be asked again with a larger limit, after one more answer that was cut off. */
function canRaise(request: Body, candidate: Candidate, before: readonly Unfit[]): boolean {
  const limits = (unfit: readonly Unfit[]) =>
    statedLimits(raiseLimits(request, candidate, unfit), candidate.healing?.truncation?.limit ?? null);
  const asked = new Map(limits(before));
  const next = limits([...before, { code: CODES.truncation, target: targetName(candidate) }]);
  return next.some(([name, limit]) => limit > (asked.get(name) ?? 0));
}

/**
 * Whether an answer was cut off long before its limit: then it was the context that was full, as of a long prompt, and a
 * larger limit would be paid for and change nothing. Some servers say `length` for both, and their counts differ a little.
 */
function isOutOfRoom(answer: JudgedAnswer, candidate: Candidate, before: readonly Unfit[]): boolean {
  const raised = raiseLimits(answer.request, candidate, before);
  const limits = statedLimits(raised, candidate.healing?.truncation?.limit ?? null).map(([, limit]) => limit);
  const tokens = answerTokens(answer);
  return tokens !== null && limits.length > 0 && tokens < Math.min(...limits) / 2;
}

function defectOfCode(code: string): Defect | undefined {
  return (Object.keys(CODES) as Defect[]).find((defect) => CODES[defect] === code);
}

function failureOf(code: string, detail: string): Failure {
  const message = `The answer does not serve: ${detail}.`;
  // It is there and was paid for; only its use is refused, by the route.
  return { ...refusal('bad_response', code, message), status: 200, type: 'invalid_answer', reachedProvider: true };
}
