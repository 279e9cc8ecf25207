/**
 * The ways to the providers, one for each that takes single requests. Batch lines and synchronous calls pass the same
 * gate: they share its slots, its requests and tokens a minute, its members and their breakers. Calls go first.
 */
import type { Provider } from '../../providers/contract.ts';
import type { Failure } from '../core/failure.ts';
import type { GpuClock } from '../core/gpu-time.ts';
import type { Candidate } from '../core/lane.ts';
import type { HealthState } from '../core/member-health.ts';
import type { Troubles } from '../core/outage.ts';
import type { Soon } from '../core/soon.ts';
import type { RefusalVerdict } from '../core/target-hold.ts';
import type { HttpClient } from './http-client.ts';

/** By the operator's name of the provider. */
export type Gates = ReadonlyMap<string, Gate>;

export interface Gate {
  readonly provider: Provider;
  /** Requests that may be in flight at once at most: this server's part of the operator's bound. What the members can take may be less. */
  readonly limit: number;
  /** Requests that may be in flight at once by what is known of the members now. */
  readonly room: number;
  /** From all engines of this server. */
  readonly inFlight: number;
  /** Calls that wait to be admitted. */
  readonly callsWaiting: number;
  /** True when the provider has members and none of them can be reached. */
  readonly unreachable: boolean;
  /** Whether all that it answered of late is trouble. */
  readonly inTrouble: boolean;
  /** False outside the provider's hours for batch lines. */
  readonly batchOpen: boolean;
  /** Its targets that refuse lines for the account's sake. */
  readonly holds: Holds;
  /** Shares the pool's time among its requests, for prices by the GPU-hour. */
  readonly gpu: GpuClock;

  /** Whether a member that nothing is known against is none of `avoided`. */
  hasOther(avoided: readonly string[]): boolean;

  /** What a target's route says of its rates and hours for a tenant; null when it says nothing. */
  target(tenantId: string, candidate: Candidate): TargetGate | null;

  /** What part of the bounds, 0 to 1, is this server's own: others on the same database have the rest. */
  takeShare(share: number): void;

  /** Admits one synchronous call, at once or when there is room for it. Never rejects: a refusal is a failure to act on. */
  acquire(ask: Ask): Soon<Admission>;

  /** Takes batch lines from `feed`, of which a gate has one at a time. */
  attach(feed: Feed): void;
  detach(feed: Feed): void;
  /** Starts what may start. Whoever has news for a gate (a line, a commit, room) says so by this. */
  pump(): void;
  /**
   * Books the end of a line's call, which held `slot`. Starts nothing: call `pump` when the line is dealt with.
   * Answers whether the failure speaks of an outage of the whole provider, which passes.
   */
  settle(slot: Slot, failure: Failure | null, end: CallEnd): boolean;
  /** Books that nobody was called from the slot of a line: its answer was at hand, or it was refused here. Starts nothing. */
  giveBack(slot: Slot): void;

  /** Asks the members how they are, as far as that is due. Bounded in time; never rejects. */
  inspect(http: HttpClient, signal: AbortSignal): Promise<void>;
  /** What the engines of this server know of the provider now. */
  figures(): GateFigures;
  /** The engine in this seat is no more: what it had in flight is not any more. */
  vacate(seat: number): void;

  /** Ends timers and refuses the calls that wait. */
  close(): void;
}

/** Rates and hours of one target. Whoever sends something there asks first, and books it. */
export interface TargetGate {
  /** Milliseconds until its rates let a request start; 0 when they do now. */
  readonly waitMs: number;
  /** 0 while batch lines may be sent there, else the milliseconds until that is to be asked again. */
  readonly closedMs: number;
  /** Books a request of so many tokens, which need not wait: what is spent too early holds the next one up. */
  spend(tokens: number): { correct(usedTokens: number): void; refund(): void };
}

/** The targets of a provider where the account is refused, by model: lines are to keep away from them for the time being. */
export interface Holds {
  /** False: there is nothing to ask for. */
  readonly any: boolean;
  /** Whether nothing but refusals came from it of late. */
  refuses(model: string): boolean;
  /** Milliseconds until a line may be sent, or the fate of another one tells more. */
  waitMs(model: string): number;
  /** Books the start of a line's call. */
  started(model: string, slot: Slot): void;
  /**
   * Books its end. A failure that is about the account, which may be mended, is not the line's to bear; where that is open,
   * `verdict` tells later.
   */
  settle(model: string, slot: Slot, failure: Failure | null): RefusalVerdict;
  /** What is known by now of a refusal that was open, and came at `refusedAtMs` of the steady clock. */
  verdict(model: string, refusedAtMs: number): RefusalVerdict;
  /** Whether lines are refused there for their own sake, so many in a row that it looked like the account. */
  wasWrong(model: string): boolean;
  /** Whether a line that was refused for so long is to be tried again, as nothing else tells whose its refusals are. */
  timeTells(model: string, refusedForMs: number): boolean;
  /** Books that its line was not sent after all. */
  giveBack(model: string, slot: Slot): void;
  /** Books an answer to a call that was sent at `startedMs` of the steady clock: whoever gets one is let in. */
  answered(model: string, startedMs: number): void;
}

/** A target where the account is refused. */
export interface HeldTarget {
  model: string;
  /** Its lines wait; or that took too long, and they fail. */
  state: 'held' | 'given_up';
  /** What the provider said last. */
  code: string;
  message: string;
  /** Unix seconds. */
  since: number;
}

/** Why nothing is sent to a provider, in the words for its members. */
export interface Unreachable {
  reason: string;
  /** Unix seconds. */
  since: number;
}

export interface GateFigures {
  limit: number;
  inFlight: number;
  callsWaiting: number;
  /** False outside the provider's hours for batch lines. */
  batchOpen: boolean;
  /** It has members, and whoever called them last found none of them there, or nothing that serves; null while it takes lines. */
  unreachable: Unreachable | null;
  members: MemberFigures[];
  held: HeldTarget[];
}

export interface MemberFigures {
  /** Its address, without a scheme. */
  name: string;
  /** Requests that it may hold now. */
  limit: number;
  inFlight: number;
  answered: number;
  failed: number;
  /** Mean of late; null before the first answer. */
  latencyMs: number | null;
  breaker: 'closed' | 'open' | 'probing';
  health: HealthState;
  /** What is wrong with it, for the operator; null when nothing is known to be. */
  healthReason: string | null;
  /** By its own metrics; null when it has none. Shares are from 0 to 1. */
  load: {
    running: number | null;
    waiting: number | null;
    cacheUsage: number | null;
    prefixHitRate: number | null;
  } | null;
}

/** A place at a member, held by one request from its start to its end. */
export interface Slot {
  /** The member's base URL, for `Call.member`. */
  readonly member: string;
  /** When it was taken, by the steady clock. */
  readonly startedMs: number;
  /** What its line has met at the provider before; null where nothing went wrong there. */
  troubles: Troubles | null;
}

export interface Ask {
  /** What the call may use at most, input and output, as estimated before it. */
  tokens: number;
  signal?: AbortSignal | undefined;
  /** How long the call may wait to be admitted; where more is known to be needed, it is refused at once. */
  maxWaitMs: number;
  /** Members where it failed before: others are preferred. */
  avoided?: readonly string[] | undefined;
  /** What its prompt begins with; asked for where members keep caches of prompts. */
  prompt?: (() => string) | undefined;
}

/** A refusal never reached the provider; its `retryAfterMs` says when it may be worth another try. */
export type Admission = { ok: true; permit: Permit } | { ok: false; failure: Failure };

/** What a call came to. */
export interface CallEnd {
  model: string;
  /** What it really used, 0 for one that used nothing, null when unknown. */
  usedTokens: number | null;
  /** Those of them in its answer. */
  outputTokens: number;
}

/** The right to make one call. Whoever holds it settles it, exactly once, however the call ends. */
export interface Permit {
  /** For `Call.member`. */
  readonly member: string;
  settle(failure: Failure | null, end: CallEnd): void;
}

/** Where a gate gets batch lines when it has room. */
export interface Feed {
  /** False while nothing more may be sent, for example because too many results wait to be committed. */
  mayStart(): boolean;
  /** Takes the next line for a member, which `start` sends at once; false when there is no line to send there. */
  take(member: string): boolean;
  /** Whether lines were left by the last `take` that may only go to other members. */
  readonly hasParticular: boolean;
  /** What the prompt of the line that was taken begins with. */
  prompt(): string;
  /** Sends the line that was taken in the slot; the tokens it is estimated to use. */
  start(slot: Slot): number;
  /** Nothing answers at this provider: lines with somewhere else to go do not wait for it. */
  detour(): void;
}
