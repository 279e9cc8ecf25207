/**
 * The way to one provider: how many requests may be in flight, how fast, and to which of its members. Synchronous calls
 * wait in a queue of their own and go first; batch lines are pulled from a feed while there is room.
 */
import type { Provider } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { GpuClock } from '../../core/gpu-time.ts';
import { MinuteBudget } from '../../core/limiter.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Admission, Ask, Feed, Gate, Permit, Slot } from '../../ports/gates.ts';
import { CallQueue } from './call-queue.ts';
import { MemberSlot, Pool } from './pool.ts';
import { clientGone, nobodyAnswers, noRoom, stopping } from './refusals.ts';

export type GateDeps = Pick<Deps, 'clock' | 'random' | 'settings'>;

/** More calls than this do not wait at one gate. */
const CALLS_WAITING_MAX = 10_000;

export class ProviderGate implements Gate {
  readonly provider: Provider;
  readonly limit: number;
  readonly gpu = new GpuClock();
  inFlight = 0;

  private readonly deps: GateDeps;
  private readonly pool: Pool;
  private readonly requests: MinuteBudget | null;
  private readonly tokens: MinuteBudget | null;
  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  private readonly tokensMax: number;
  private readonly calls = new CallQueue();
  private feed: Feed | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private timerAt = Number.POSITIVE_INFINITY;
  private pumping = false;
  private closed = false;

  /** `share`: of the provider's limits, where several processes on one machine divide them. */
  constructor(deps: GateDeps, provider: Provider, share = 1) {
    this.deps = deps;
    this.provider = provider;
    const { limits } = provider;
    this.limit = Math.max(1, Math.floor((limits.concurrency ?? deps.settings.defaultConcurrency) * share));
    this.tokensMax = limits.tokensPerMinute === null ? Number.POSITIVE_INFINITY : limits.tokensPerMinute * share;
    const now = deps.clock.now();
    this.requests = budget(limits.requestsPerMinute, share, now);
    this.tokens = budget(limits.tokensPerMinute, share, now);
    this.pool = new Pool(provider.immediate?.members ?? [], this.limit, limits.adaptive !== false);
  }

  get callsWaiting(): number {
    return this.calls.size;
  }

  get unreachable(): boolean {
    return this.pool.unreachable;
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

  settle(slot: Slot, failure: Failure | null, usedTokens: number | null, outputTokens: number): void {
    const own = slot as MemberSlot;
    const now = this.deps.clock.now();
    this.inFlight -= 1;
    if (this.tokens && usedTokens !== null) this.tokens.spend(usedTokens - own.tokens, now);
    this.pool.settle(
      own,
      failure,
      { input: usedTokens === null ? own.tokens : usedTokens - outputTokens, output: outputTokens },
      { nowMs: now, clockMs: this.deps.clock.micros() / 1000, unit: this.deps.random.unit() },
    );
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
      const member = this.pool.choose(now);
      if (!member) {
        if (this.unreachable) {
          this.calls.refuseLate(Number.POSITIVE_INFINITY, () => nobodyAnswers(this.provider.name));
          this.feed?.detour();
        }
        return this.delayed(this.pool.waitMs(now), now);
      }
      const budgetWait = Math.max(this.requests?.waitMs(1, now) ?? 0, this.tokens?.waitMs(1, now) ?? 0);
      if (budgetWait > 0) return this.delayed(budgetWait, now);
      const slot = new MemberSlot(member, this.deps.clock.micros() / 1000);
      const tokens = call ? call.tokens : (this.feed?.start(slot) ?? null);
      if (tokens === null) break;
      this.book(slot, tokens, now);
      if (call) this.calls.admit(call, this.permit(slot));
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

  private book(slot: MemberSlot, tokens: number, now: number): void {
    slot.tokens = Math.min(tokens, this.tokensMax);
    slot.at.inFlight += 1;
    this.inFlight += 1;
    this.requests?.spend(1, now);
    this.tokens?.spend(slot.tokens, now);
  }

  private permit(slot: MemberSlot): Permit {
    let settled = false;
    return {
      member: slot.member,
      settle: (failure, usedTokens, outputTokens = 0) => {
        if (settled) return;
        settled = true;
        this.settle(slot, failure, usedTokens, outputTokens);
        this.pump();
      },
    };
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

function budget(perMinute: number | null, share: number, now: number): MinuteBudget | null {
  return perMinute === null ? null : new MinuteBudget(perMinute * share, now);
}

function refuse(failure: Failure): Promise<Admission> {
  return Promise.resolve({ ok: false, failure });
}
