import { AdaptiveLimit } from '../../core/adaptive/adaptive-limit.ts';
import type { ServerLoad } from '../../core/adaptive/load.ts';
import { Breaker } from '../../core/breaker.ts';
import type { Failure } from '../../core/failure.ts';
import { MemberHealth } from '../../core/member-health.ts';
import { isPressure } from '../../core/retry.ts';
import type { Slot } from '../../ports/gates.ts';

const LATENCIES_MEANT = 50;

/** One of a provider's base URLs. */
export interface Member {
  readonly url: string;
  readonly breaker: Breaker;
  /** null: the operator's bound is all that counts. */
  readonly adaptive: AdaptiveLimit | null;
  readonly health: MemberHealth;
  /** What its own metrics said last. */
  load: ServerLoad | null;
  inFlight: number;
  answered: number;
  failed: number;
  /** Milliseconds, of late. */
  latencyMs: number;
}

/** A place at a member, from a request's start to its end. */
export class MemberSlot implements Slot {
  readonly at: Member;
  readonly startedMs: number;
  /** Requests at the member then, this one included. */
  readonly inFlight: number;
  /** What its start was booked with. */
  tokens = 0;

  constructor(at: Member, startedMs: number) {
    this.at = at;
    this.startedMs = startedMs;
    this.inFlight = at.inFlight + 1;
  }

  get member(): string {
    return this.at.url;
  }
}

/** The servers behind one provider, of which the least loaded one that may be called is chosen. */
export class Pool {
  readonly members: readonly Member[];

  /** `limit`: requests that one member may hold at most; adaptive ones find out what it can take. */
  constructor(urls: readonly string[], limit: number, adaptive: boolean) {
    this.members = urls.map((url) => ({
      url,
      breaker: new Breaker(),
      adaptive: adaptive ? new AdaptiveLimit(limit) : null,
      health: new MemberHealth(),
      load: null,
      inFlight: 0,
      answered: 0,
      failed: 0,
      latencyMs: 0,
    }));
  }

  get unreachable(): boolean {
    return this.members.length > 0 && this.members.every((member) => member.breaker.unreachable);
  }

  /** While calls come in, no looks at what more load would do. */
  still(still: boolean): void {
    for (const { adaptive } of this.members) if (adaptive) adaptive.still = still;
  }

  /** The member to call now; undefined when none may be. `part`: of its limit that may be filled, 0 to 1. */
  choose(now: number, part: number): Member | undefined {
    const anyWell = this.members.some((member) => !isOut(member));
    return this.leastLoaded(now, anyWell, part);
  }

  /** `wellOnly`: of those that nothing is known against. Where that is none, the checks may be wrong: answers tell. */
  private leastLoaded(now: number, wellOnly: boolean, part: number): Member | undefined {
    let best: Member | undefined;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const member of this.members) {
      if ((wellOnly && isOut(member)) || !hasRoom(member, now, part)) continue;
      const limit = member.adaptive?.limit ?? Number.POSITIVE_INFINITY;
      // Unequal servers are filled in proportion to what they can take.
      const load = member.adaptive === null ? member.inFlight : (member.inFlight + 1) / limit;
      if (load >= bestLoad) continue;
      best = member;
      bestLoad = load;
    }
    return best;
  }

  /** Whether one more request may go to a member that was not chosen by its load. */
  mayCall(member: Member, now: number, part: number): boolean {
    return !isOut(member) && hasRoom(member, now, part);
  }

  /** Milliseconds until a member may be called again that may not now; infinite when only an answer can change that. */
  waitMs(now: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { breaker, inFlight } of this.members) {
      const wait = breaker.waitMs(now, inFlight);
      if (wait > 0 && wait < least) least = wait;
    }
    return least;
  }

  /**
   * Takes in the end of a call, at a moment of the clock of `slot.startedMs`. `lateMs`: for so long the answer may have
   * waited here, which says nothing about its server.
   */
  settle(
    { at, startedMs, inFlight }: MemberSlot,
    failure: Failure | null,
    tokens: { input: number; output: number },
    { nowMs, lateMs, unit }: { nowMs: number; lateMs: number; unit: number },
  ): void {
    at.inFlight -= 1;
    if (failure === null) {
      at.breaker.success();
      const latencyMs = Math.max(0, nowMs - startedMs - lateMs);
      at.answered += 1;
      at.latencyMs += (latencyMs - at.latencyMs) / Math.min(at.answered, LATENCIES_MEANT);
      at.adaptive?.answered({ inputTokens: tokens.input, outputTokens: tokens.output, latencyMs, inFlight }, nowMs);
      return;
    }
    at.failed += 1;
    if (speaksOfLoad(failure)) at.adaptive?.refused(inFlight, startedMs, nowMs);
    if (!isPressure(failure)) {
      // An answer, even a bad one, shows that somebody is there.
      if (failure.status !== null) at.breaker.success();
      return;
    }
    const trouble = failure.kind === 'connection' ? 'unreachable' : 'pressure';
    at.breaker.failure(trouble, failure.retryAfterMs, nowMs, unit);
  }
}

function hasRoom({ adaptive, breaker, inFlight }: Member, now: number, part: number): boolean {
  const limit = adaptive?.limit ?? Number.POSITIVE_INFINITY;
  return inFlight < Math.max(1, limit * part) && breaker.waitMs(now, inFlight) === 0;
}

function isOut({ health }: Member): boolean {
  return health.state === 'unhealthy' || health.state === 'wrong_model';
}

/** Whether fewer requests at once might have spared this failure. */
function speaksOfLoad({ kind, reachedProvider }: Failure): boolean {
  if (kind === 'rate_limited' || kind === 'overloaded') return true;
  return reachedProvider && (kind === 'timeout' || kind === 'server_error');
}
