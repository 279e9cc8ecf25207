import type { Provider } from '../../../providers/contract.ts';
import { AdaptiveLimit } from '../../core/adaptive/adaptive-limit.ts';
import type { ServerLoad } from '../../core/adaptive/load.ts';
import { Breaker } from '../../core/breaker.ts';
import type { Failure } from '../../core/failure.ts';
import { MemberHealth } from '../../core/member-health.ts';
import { OutageWatch, type Troubles } from '../../core/outage.ts';
import { faultOf, isPressure } from '../../core/retry.ts';
import type { Slot } from '../../ports/gates.ts';

const LATENCIES_MEANT = 50;
const NONE: readonly string[] = [];

/** One of a provider's base URLs. */
export interface Member {
  readonly url: string;
  readonly breaker: Breaker;
  /** Opens when it answers, but with nothing that serves; heeded while another member does better. */
  readonly ailment: Breaker;
  /** Opens when it refuses whatever it is sent as invalid; heeded while another member does not. */
  readonly doubt: Breaker;
  /** null: the operator's bound is all that counts. */
  readonly adaptive: AdaptiveLimit | null;
  readonly health: MemberHealth;
  /** What its own metrics said last. */
  load: ServerLoad | null;
  inFlight: number;
  /** Those of them that were sent to see whether it is well again. */
  probes: number;
  answered: number;
  failed: number;
  readonly outage: OutageWatch;
  /** Why its last request failed, for the operator. */
  lastFailure: string;
  /** Milliseconds, of late. */
  latencyMs: number;
}

/** A place at a member, from a request's start to its end. */
export class MemberSlot implements Slot {
  readonly at: Member;
  readonly startedMs: number;
  /** Requests at the member then, this one included. */
  readonly inFlight: number;
  readonly isProbe: boolean;
  /** Of a batch, and not a call, whose client is to hear what went wrong. */
  readonly isLine: boolean;
  troubles: Troubles | null = null;
  /** What its start was booked with. */
  tokens = 0;

  constructor(at: Member, startedMs: number, isLine = false) {
    this.at = at;
    this.isLine = isLine;
    this.startedMs = startedMs;
    this.isProbe = !at.breaker.closed || !at.ailment.closed || !at.doubt.closed;
    at.inFlight += 1;
    if (this.isProbe) at.probes += 1;
    this.inFlight = at.inFlight;
  }

  get member(): string {
    return this.at.url;
  }
}

/** The servers behind one provider, of which the least loaded one that may be called is chosen. */
export class Pool {
  readonly members: readonly Member[];
  private readonly provider: string;
  /** They say how they are. */
  private readonly isChecked: boolean;

  /** `limit`: requests that one member may hold at most; adaptive ones find out what it can take. `outageMs`: lines wait no longer for its return, as large models take minutes to load. */
  constructor(
    { name, immediate, limits }: Pick<Provider, 'name' | 'immediate' | 'limits'>,
    limit: number,
    outageMs: number,
  ) {
    this.provider = name;
    const adaptive = limits.adaptive !== false;
    this.isChecked = immediate?.healthy !== undefined;
    this.members = (immediate?.members ?? []).map((url) => ({
      url,
      breaker: new Breaker(),
      ailment: new Breaker(),
      doubt: new Breaker(),
      adaptive: adaptive ? new AdaptiveLimit(limit) : null,
      health: new MemberHealth(),
      load: null,
      inFlight: 0,
      probes: 0,
      answered: 0,
      failed: 0,
      outage: new OutageWatch(outageMs),
      lastFailure: '',
      latencyMs: 0,
    }));
  }

  /** Why the last request failed at one that cannot be reached. */
  get unreachableReason(): string {
    return this.members.find((member) => member.breaker.unreachable)?.lastFailure ?? '';
  }

  get unreachable(): boolean {
    return this.members.length > 0 && this.members.every((member) => member.breaker.unreachable);
  }

  /** Whether all that they answered of late is trouble. */
  get inTrouble(): boolean {
    return this.members.length > 0 && this.members.every(({ outage }) => outage.since !== null);
  }

  /** Requests that its members may hold at once now; infinite where nothing but the operator's bound counts. */
  get room(): number {
    let room = this.members.length === 0 ? Number.POSITIVE_INFINITY : 0;
    for (const { adaptive } of this.members) room += adaptive?.limit ?? Number.POSITIVE_INFINITY;
    return room;
  }

  /** While calls come in, few looks at what more load would do. */
  still(still: boolean): void {
    for (const { adaptive } of this.members) if (adaptive) adaptive.still = still;
  }

  /** Whether any of its members ever answered. */
  get hasServed(): boolean {
    return this.members.some(({ answered }) => answered > 0);
  }

  /** Whether a member that nothing is known against is none of `avoided`. */
  hasOther(avoided: readonly string[]): boolean {
    return this.members.some((member) => isWell(member) && member.breaker.closed && !avoided.includes(member.url));
  }

  /**
   * The member to call now, of all but `except`; undefined when none may be. `part`: of its limit that may be filled, 0 to 1.
   */
  choose(now: number, part: number, except: readonly string[] = NONE): Member | undefined {
    const anyWell = this.members.some(isWell);
    const anySure = this.members.some(isSure);
    let best: Member | undefined;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const member of this.members) {
      // Where none is well, the checks may be wrong, or the requests: answers tell.
      if ((anyWell && isLeftOut(member, now)) || !hasRoom(member, now, part) || except.includes(member.url)) continue;
      if (anySure && member.doubt.waitMs(now, member.probes) > 0) continue;
      const limit = member.adaptive?.limit ?? Number.POSITIVE_INFINITY;
      // Unequal servers are filled in proportion to what they can take.
      const load = member.adaptive === null ? member.inFlight : (member.inFlight + 1) / limit;
      if (load >= bestLoad) continue;
      best = member;
      bestLoad = load;
    }
    return best;
  }

  /** As `choose`, for a request that failed at `avoided`: another member where one has room. */
  preferring(avoided: readonly string[] | undefined, now: number, part: number): Member | undefined {
    const other = avoided && this.choose(now, part, avoided);
    return other ?? this.choose(now, part);
  }

  /** Whether nothing but what it has in flight keeps requests from a member. */
  isInUse(member: Member, now: number): boolean {
    if (isLeftOut(member, now) || member.breaker.waitMs(now, member.probes) > 0) return false;
    return member.doubt.waitMs(now, member.probes) === 0 || !this.members.some(isSure);
  }

  /** Whether one more request may go to a member that was not chosen by its load. */
  mayCall(member: Member, now: number, part: number): boolean {
    return this.isInUse(member, now) && hasRoom(member, now, part);
  }

  /** Milliseconds until a member may be called again that may not now; infinite when only an answer can change that. */
  waitMs(now: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { breaker, ailment, doubt, probes } of this.members) {
      for (const wait of [breaker.waitMs(now, probes), ailment.waitMs(now, probes), doubt.waitMs(now, probes)]) {
        if (wait > 0 && wait < least) least = wait;
      }
    }
    return least;
  }

  /** Takes in that a slot is free: of how its member is it tells nothing. */
  giveBack({ at, isProbe }: MemberSlot): void {
    at.inFlight -= 1;
    if (isProbe) at.probes -= 1;
  }

  /**
   * Takes in the end of a call, at a moment of the clock of `slot.startedMs`. `lateMs`: for so long the answer may have
   * waited here, which says nothing about its server. Answers whether the failure speaks of an outage, which passes.
   */
  settle(
    slot: MemberSlot,
    failure: Failure | null,
    { model, input, output }: { model: string; input: number; output: number },
    { nowMs, lateMs, unit }: { nowMs: number; lateMs: number; unit: number },
  ): boolean {
    const { at, startedMs, inFlight, isLine } = slot;
    this.giveBack(slot);
    if (failure === null) {
      at.breaker.success();
      at.ailment.success();
      at.doubt.success();
      at.outage.served(nowMs);
      const latencyMs = Math.max(0, nowMs - startedMs - lateMs);
      at.answered += 1;
      at.latencyMs += (latencyMs - at.latencyMs) / Math.min(at.answered, LATENCIES_MEANT);
      at.adaptive?.answered({ model, inputTokens: input, outputTokens: output, latencyMs, inFlight }, nowMs);
      return false;
    }
    at.failed += 1;
    at.lastFailure = failure.status === null ? this.reasonOf(failure) : `${failure.status} ${failure.code}`;
    this.noteAilment(at, failure, nowMs, unit);
    if (speaksOfLoad(failure)) at.adaptive?.refused(inFlight, startedMs, nowMs);
    if (this.isOutage(slot, failure, nowMs) && (isLine || !at.breaker.closed)) {
      // Lines wait for it: one of them now and then tells whether it is back. Calls come as they come.
      if (!isLine) return false;
      at.breaker.failure('outage', failure.retryAfterMs, nowMs, unit);
      return !at.breaker.closed;
    }
    if (!isPressure(failure)) {
      // An answer, even a bad one, shows that somebody is there.
      if (failure.status !== null) at.breaker.success();
      return false;
    }
    const trouble = failure.kind === 'connection' ? 'unreachable' : 'pressure';
    at.breaker.failure(trouble, failure.retryAfterMs, nowMs, unit);
    return false;
  }

  /** Why there was no answer, without the name that everything says of it begins with. */
  private reasonOf({ message }: Failure): string {
    const name = `${this.provider}: `;
    return (message.startsWith(name) ? message.slice(name.length) : message).replace(/\.$/, '');
  }

  /**
   * Whether a member that has answered, or says how it is, is out, as far as a failure tells, and no other is well: it knows
   * its model no more, or has answered nothing but trouble of late.
   */
  private isOutage({ at, isLine, troubles }: MemberSlot, failure: Failure, nowMs: number): boolean {
    const fault = faultOf(failure);
    if (fault === 'own') at.outage.served(nowMs);
    if ((at.answered === 0 && !this.isChecked) || this.hasOther([at.url])) return false;
    if (failure.passing) return true;
    if (fault !== 'trouble') return false;
    const wasWellSince = this.isChecked ? (ms: number) => at.health.wasWellSince(ms) : null;
    return at.outage.isOut(nowMs, isLine ? troubles : undefined, wasWellSince);
  }

  /** A member that fails at once has always room: without this it would take the lines of all others, and fail them. */
  private noteAilment({ ailment, doubt }: Member, failure: Failure, nowMs: number, unit: number): void {
    if (this.members.length < 2) return;
    const fault = faultOf(failure);
    if (fault === 'own') {
      ailment.success();
      doubt.failure('outage', null, nowMs, unit); // Asked again soon: it may be the lines.
    } else if (fault === 'trouble' || fault === 'target') ailment.failure('pressure', null, nowMs, unit);
  }
}

function hasRoom({ adaptive, breaker, inFlight, probes }: Member, now: number, part: number): boolean {
  const limit = adaptive?.limit ?? Number.POSITIVE_INFINITY;
  return inFlight < Math.max(1, limit * part) && breaker.waitMs(now, probes) === 0;
}

/** Nothing is known against it, beyond load that passes. */
function isWell(member: Member): boolean {
  return !isOut(member) && member.ailment.closed && !member.breaker.unreachable;
}

/** And it takes what it is sent. */
function isSure(member: Member): boolean {
  return isWell(member) && member.doubt.closed;
}

/** Not called now while others are well. */
function isLeftOut(member: Member, now: number): boolean {
  return isOut(member) || member.ailment.waitMs(now, member.probes) > 0;
}

function isOut({ health }: Member): boolean {
  return health.state === 'unhealthy' || health.state === 'wrong_model';
}

/** Whether fewer requests at once might have spared this failure. */
function speaksOfLoad({ kind, reachedProvider }: Failure): boolean {
  if (kind === 'rate_limited' || kind === 'overloaded') return true;
  return reachedProvider && (kind === 'timeout' || kind === 'server_error');
}
