/**
 * The way to one provider: how many requests may be in flight, how fast, and to which of its members. Synchronous calls
 * wait in a queue of their own and go first; batch lines are pulled from a feed while there is room.
 */
import type { Provider } from '../../../providers/contract.ts';
import { Breaker } from '../../core/breaker.ts';
import type { Failure } from '../../core/failure.ts';
import { GpuClock } from '../../core/gpu-time.ts';
import { MinuteBudget } from '../../core/limiter.ts';
import { isPressure } from '../../core/retry.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Admission, Ask, Feed, Gate, Member, Permit } from '../../ports/gates.ts';
import { CallQueue } from './call-queue.ts';
import { clientGone, nobodyAnswers, noRoom, stopping } from './refusals.ts';

export type GateDeps = Pick<Deps, 'clock' | 'random' | 'settings'>;

/** More calls than this do not wait at one gate. */
const CALLS_WAITING_MAX = 10_000;

interface PoolMember extends Member {
  inFlight: number;
  readonly breaker: Breaker;
}

export class ProviderGate implements Gate {
  readonly provider: Provider;
  readonly limit: number;
  readonly gpu = new GpuClock();
  inFlight = 0;

  private readonly deps: GateDeps;
  private readonly members: readonly PoolMember[];
  private readonly requests: MinuteBudget | null;
  private readonly tokens: MinuteBudget | null;
  private readonly calls = new CallQueue();
  private feed: Feed | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private timerAt = Number.POSITIVE_INFINITY;
  private pumping = false;
  private closed = false;

  constructor(deps: GateDeps, provider: Provider) {
    this.deps = deps;
    this.provider = provider;
    this.limit = provider.limits.concurrency ?? deps.settings.defaultConcurrency;
    const now = deps.clock.now();
    this.requests = budget(provider.limits.requestsPerMinute, now);
    this.tokens = budget(provider.limits.tokensPerMinute, now);
    this.members = (provider.immediate?.members ?? []).map((url) => ({ url, inFlight: 0, breaker: new Breaker() }));
  }

  get callsWaiting(): number {
    return this.calls.size;
  }

  get unreachable(): boolean {
    return this.members.length > 0 && this.members.every((member) => member.breaker.unreachable);
  }

  acquire(ask: Ask): Promise<Admission> {
    if (this.closed) return refuse(stopping());
    if (ask.signal?.aborted) return refuse(clientGone());
    if (this.calls.size >= CALLS_WAITING_MAX) return refuse(noRoom(this.provider.name, null));
    const admission = this.calls.wait(ask, this.deps.clock.now(), clientGone);
    this.pump();
    return admission;
  }

  attach(feed: Feed): void {
    this.feed = feed;
  }

  detach(feed: Feed): void {
    if (this.feed === feed) this.feed = null;
  }

  pump(): void {
    // A start can call back into pump; one loop at a time is enough.
    if (this.pumping || this.closed) return;
    this.pumping = true;
    let waitMs: number;
    try {
      waitMs = this.startAll();
    } finally {
      this.pumping = false;
    }
    const now = this.deps.clock.now();
    this.calls.refuseLate(now, () => noRoom(this.provider.name, null));
    this.wakeAt(Math.min(now + waitMs, this.calls.earliestDeadline), now);
  }

  settle(member: Member, tokens: number, failure: Failure | null, usedTokens: number | null): void {
    const own = member as PoolMember;
    this.inFlight -= 1;
    own.inFlight -= 1;
    if (this.tokens && usedTokens !== null) {
      this.tokens.spend(usedTokens - this.bounded(tokens), this.deps.clock.now());
    }
    if (failure === null || !isPressure(failure)) {
      // An answer, even a bad one, shows that somebody is there.
      if (failure === null || failure.status !== null) own.breaker.success();
      return;
    }
    const trouble = failure.kind === 'connection' ? 'unreachable' : 'pressure';
    own.breaker.failure(trouble, failure.retryAfterMs, this.deps.clock.now(), this.deps.random.unit());
  }

  close(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.calls.refuseLate(Number.POSITIVE_INFINITY, stopping);
  }

  /** Starts calls, then lines, while there is room; how long to wait for what holds the next one up, if that is known. */
  private startAll(): number {
    while (this.inFlight < this.limit) {
      const call = this.calls.first;
      if (!call && !this.feed?.mayStart()) break;
      const now = this.deps.clock.now();
      const member = this.chooseMember(now);
      if (!member) {
        if (this.unreachable) {
          this.calls.refuseLate(Number.POSITIVE_INFINITY, () => nobodyAnswers(this.provider.name));
          this.feed?.detour();
        }
        return this.delayed(this.breakersWait(now), now);
      }
      const budgetWait = Math.max(this.requests?.waitMs(1, now) ?? 0, this.tokens?.waitMs(1, now) ?? 0);
      if (budgetWait > 0) return this.delayed(budgetWait, now);
      if (call) {
        this.book(member, call.tokens, now);
        this.calls.admit(call, this.permit(member, call.tokens));
        continue;
      }
      const tokens = this.feed?.start(member) ?? null;
      if (tokens === null) break;
      this.book(member, tokens, now);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Nothing starts for `waitMs`: calls that cannot wait so long hear of it now. */
  private delayed(waitMs: number, now: number): number {
    if (Number.isFinite(waitMs)) {
      this.calls.refuseLate(now + waitMs - 1, () => noRoom(this.provider.name, Math.ceil(waitMs)));
    }
    return waitMs;
  }

  private book(member: PoolMember, tokens: number, now: number): void {
    this.requests?.spend(1, now);
    this.tokens?.spend(this.bounded(tokens), now);
    this.inFlight += 1;
    member.inFlight += 1;
  }

  private permit(member: PoolMember, tokens: number): Permit {
    let settled = false;
    return {
      member: member.url,
      settle: (failure, usedTokens) => {
        if (settled) return;
        settled = true;
        this.settle(member, tokens, failure, usedTokens);
        this.pump();
      },
    };
  }

  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  private bounded(tokens: number): number {
    return Math.min(tokens, this.provider.limits.tokensPerMinute ?? Number.POSITIVE_INFINITY);
  }

  private chooseMember(now: number): PoolMember | undefined {
    let best: PoolMember | undefined;
    for (const member of this.members) {
      if (member.breaker.waitMs(now, member.inFlight) > 0) continue;
      if (!best || member.inFlight < best.inFlight) best = member;
    }
    return best;
  }

  private breakersWait(now: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { breaker, inFlight } of this.members) least = Math.min(least, breaker.waitMs(now, inFlight));
    return least;
  }

  /** One timer for the next moment at which something may start, or a call gives up, by itself. */
  private wakeAt(at: number, now: number): void {
    if (!Number.isFinite(at) || (this.timer !== null && this.timerAt <= at)) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAt = Number.POSITIVE_INFINITY;
        this.pump();
      },
      Math.max(1, at - now),
    );
  }
}

function budget(perMinute: number | null, now: number): MinuteBudget | null {
  return perMinute === null ? null : new MinuteBudget(perMinute, now);
}

function refuse(failure: Failure): Promise<Admission> {
  return Promise.resolve({ ok: false, failure });
}
