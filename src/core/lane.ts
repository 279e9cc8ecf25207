/**
 * A lane is what routing decides for a line before it runs: where it goes first, and where it goes next if that
 * fails. A batch has one table of lanes, made when it starts; a line knows its lane by number.
 */
import { createHash } from 'node:crypto';
import type { Schedule } from './batch-hours.ts';
import type { Failure } from './failure.ts';

export interface RetryRule {
  /** Retries after the first try, on one target. */
  attempts: number;
  onStatusCodes: readonly number[];
  useRetryAfter: boolean;
}

/** Applied to a request's body in this order: defaults, overrides, drops (dotted paths, `[*]` for every element). */
export interface ParamRules {
  defaults: Record<string, unknown>;
  overrides: Record<string, unknown>;
  drops: readonly string[];
}

/** When a line moves on to a candidate: after trouble only (not after its own fault), after any failure, or by status. */
export type EnterOn = 'trouble' | 'any' | readonly number[];

/** Tokens of an answer: what a request that names no limit is given, and the most that can be asked for. */
export interface AnswerLimit {
  usual: number;
  most: number;
}

/** What becomes of an answer that does not serve (core/healing.ts). */
export interface HealingRule {
  action: 'retry' | 'fail';
  /** Retries of one line for this cause. */
  attempts: number;
  /** What the length limit of the request is multiplied by at each retry of a truncated answer. */
  maxTokensFactor: number;
  /** Of the target, for truncated answers; absent where its provider leaves limits as they are. */
  limit?: AnswerLimit;
  /** Where it is tried first; where that cannot be, the other. */
  to: 'same' | 'next';
  /** What becomes of the last answer when no retry is left. */
  otherwise: 'accept' | 'fail';
}

/** A cause without a rule is accepted. */
export interface HealingRules {
  truncation?: HealingRule;
  invalid_json?: HealingRule;
  refusal?: HealingRule;
}

export interface Candidate {
  provider: string;
  /** The name the provider knows the model by. */
  model: string;
  mode: 'auto' | 'batch' | 'immediate';
  weight: number;
  retry: RetryRule;
  requestTimeoutMs: number | null;
  params: ParamRules;
  enterOn: EnterOn;
  /** Absent: every answer is accepted. */
  healing?: HealingRules;
  /** Requests and tokens a minute that its route allows each tenant there; absent: no others than the provider's. */
  limits?: { requestsPerMinute: number | null; tokensPerMinute: number | null };
  /** When its route lets batch lines be sent there at once; absent: whenever the provider does. */
  schedule?: Schedule;
  /** Its answers may be given again for so long; absent: never. */
  cache?: { maxAgeSeconds: number };
}

export interface RunLane {
  kind: 'run';
  /** In order of preference. The first `shared` of them pull from one queue, in proportion to weight. */
  candidates: readonly Candidate[];
  shared: number;
  /** Seconds after the batch's creation when unfinished lines are called back from provider batches; absent: late. */
  rescueAfterSeconds?: number;
  /** Name of the route that its lines' models name; absent where they name none, or their batch has a route. */
  route?: string;
}

export type Lane =
  | RunLane
  | {
      /** No target: every line of the lane fails so, without a call. */
      kind: 'refuse';
      failure: Failure;
    };

/** A lane whose first candidates are done with: what is left starts at `candidate`, which shares its queue with no other. */
export function laneFrom(lane: RunLane, candidate: number): RunLane {
  return candidate > 0 ? { ...lane, candidates: lane.candidates.slice(candidate), shared: 1 } : lane;
}

/** Whose work the lines of a lane are at first: one target's, or all that share its queue. Targets without limits of their own share their provider's. */
export function queueOf(lane: RunLane): string {
  return lane.candidates
    .slice(0, lane.shared)
    .map((each) => each.provider + limitsKey(each) + (lane.shared > 1 ? `*${each.weight}` : ''))
    .join(' ');
}

/** Whether a target has rates or hours of its own. */
export function isLimited({ limits, schedule }: Pick<Candidate, 'limits' | 'schedule'>): boolean {
  return limits !== undefined || schedule !== undefined;
}

/** Tells targets of one provider apart that have rates or hours of their own; '' for all others. */
export function limitsKey({ model, limits, schedule }: Pick<Candidate, 'model' | 'limits' | 'schedule'>): string {
  if (limits === undefined && schedule === undefined) return '';
  const stated = createHash('sha256').update(JSON.stringify([model, limits, schedule]));
  return `/${model}#${stated.digest('hex').slice(0, 12)}`;
}

/** What was named last: lines and calls of one target mostly follow each other, and need no name of their own. */
let last: Pick<Candidate, 'provider' | 'model'> & { name: string } = { provider: '', model: '', name: '/' };

/** The name a target has in results, the ledger and tables. */
export function targetName({ provider, model }: Pick<Candidate, 'provider' | 'model'>): string {
  if (last.provider !== provider || last.model !== model) last = { provider, model, name: `${provider}/${model}` };
  return last.name;
}
