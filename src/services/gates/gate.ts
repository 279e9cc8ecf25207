/**
 * The way to one provider: how many requests may be in flight, how fast, and to which of its members. Synchronous calls
 * wait in a queue of their own and go first; batch lines are pulled from a feed while there is room.
 */
import type { Provider } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { GpuClock } from '../../core/gpu-time.ts';
import type { Candidate } from '../../core/lane.ts';
import { Slots } from '../../core/shared/slots.ts';
import type { Soon } from '../../core/soon.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Admission, Ask, CallEnd, Feed, Gate, GateFigures, Permit, Slot, TargetGate } from '../../ports/gates.ts';
import type { HttpClient } from '../../ports/http-client.ts';
import type { Budgets } from './budgets.ts';
import { CallQueue, type WaitingCall } from './call-queue.ts';
import { figuresOf, unreachableOf, withOthers } from './figures.ts';
import { Hours } from './hours.ts';
import { Inspection } from './inspection.ts';
import { type Member, MemberSlot, Pool } from './pool.ts';
import { Prefixes } from './prefixes.ts';
import { clientGone, nobodyAnswers, noRoom, stopping } from './refusals.ts';
import { TargetGates } from './target-gates.ts';
import { TargetHolds } from './target-holds.ts';
import { WakeTimer } from './wake-timer.ts';

export type GateDeps = Pick<Deps, 'clock' | 'random' | 'settings' | 'common' | 'log'>;

/** More calls than this do not wait at one gate. */
const CALLS_WAITING_MAX = 10_000;
/** For so long after a call, batch lines leave a part of the slots free. */
const CALLS_RECENT_MS = 10_000;
const BATCH_PART = 0.9;
/** A word from another engine may be late: nothing waits for it any longer. */
const LOOK_AGAIN_MS = 50;

export class ProviderGate implements Gate {
  readonly provider: Provider;
  readonly gpu: GpuClock;
  readonly holds: TargetHolds;

  private readonly deps: GateDeps;
  private readonly pool: Pool;
  private readonly budgets: Budgets;
  private readonly inspection: Inspection;
  /** null where members keep no cache of prompts, or there is one only. */
  private readonly prefixes: Prefixes | null;
  private readonly calls = new CallQueue();
  private feed: Feed | null = null;
  /** Of all engines of this server, as is what they know of each other's calls: by the steady clock, as all times of a gate but its hours. */
  private readonly slots: Slots;
  /** Of all servers on this database. */
  private readonly limitOfAll: number;
  private share = 1;
  private readonly hours: Hours;
  private readonly targets: TargetGates;
  private readonly timer = new WakeTimer(() => this.pump());
  private pumping = false;
  private closed = false;

  /** `hasServed`: whether the provider answered in an earlier run. */
  constructor(deps: GateDeps, provider: Provider, budgets: Budgets, hasServed = false) {
    this.deps = deps;
    this.provider = provider;
    this.budgets = budgets;
    const { limits } = provider;
    const { common } = deps;
    this.slots = new Slots(common?.region(`slots ${provider.name}`), common?.seat);
    this.gpu = new GpuClock(common?.region(`gpu ${provider.name}`), common?.seat);
    this.limitOfAll = Math.max(1, limits.concurrency ?? deps.settings.defaultConcurrency);
    this.pool = new Pool(provider, this.limit, deps.settings.outageSeconds * 1000);
    this.inspection = new Inspection(deps.clock, provider, this.pool);
    const sharesPrefixes = provider.immediate?.prefixCache === true && this.pool.members.length > 1;
    this.prefixes = sharesPrefixes ? new Prefixes(this.pool) : null;
    this.hours = new Hours(deps.clock, provider.schedule);
    this.targets = new TargetGates(deps, provider.name);
    this.holds = new TargetHolds(deps, provider.name, () => hasServed || this.pool.hasServed);
  }

  get limit(): number {
    return Math.max(1, Math.floor(this.limitOfAll * this.share));
  }

  get room(): number {
    return Math.min(this.limit, this.pool.room);
  }

  get inFlight(): number {
    return this.slots.total;
  }

  get callsWaiting(): number {
    return this.calls.size;
  }

  get unreachable(): boolean {
    return this.pool.unreachable;
  }

  get inTrouble(): boolean {
    return this.pool.inTrouble;
  }

  get batchOpen(): boolean {
    return this.hours.closedMs === 0;
  }

  hasOther(avoided: readonly string[]): boolean {
    return this.pool.hasOther(avoided);
  }

  target(tenantId: string, candidate: Candidate): TargetGate | null {
    return this.targets.get(tenantId, candidate);
  }

  takeShare(share: number): void {
    this.share = share;
    this.budgets.takeShare(share, steadyMs(this.deps.clock));
    this.targets.takeShare(share);
    this.pump();
  }

  acquire(ask: Ask): Soon<Admission> {
    if (this.closed) return { ok: false, failure: stopping() };
    if (ask.signal?.aborted) return { ok: false, failure: clientGone() };
    if (this.calls.size >= CALLS_WAITING_MAX) return { ok: false, failure: noRoom(this.provider.name, null) };
    const now = steadyMs(this.deps.clock);
    this.slots.noteCalls(this.calls.size, now);
    if (this.calls.size === 0) this.pool.still(true);
    const permit = this.calls.size === 0 ? this.admitNow(ask, now) : null;
    if (permit !== null) return { ok: true, permit };
    return this.calls.wait(ask, now, () => this.pump(), clientGone);
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
    const now = steadyMs(this.deps.clock);
    this.calls.refuseLate(now, () => noRoom(this.provider.name, null));
    this.slots.noteCalls(this.calls.size, null);
    this.slots.passOn(this.limit);
    this.timer.set(Math.min(now + waitMs, this.calls.earliestDeadline), now);
  }

  settle(slot: Slot, failure: Failure | null, { model, usedTokens, outputTokens }: CallEnd): boolean {
    const own = slot as MemberSlot;
    const now = steadyMs(this.deps.clock);
    this.slots.giveBack();
    if (usedTokens !== null) this.budgets.correct(own.tokens, usedTokens, now);
    return this.pool.settle(
      own,
      failure,
      { model, input: usedTokens === null ? own.tokens : usedTokens - outputTokens, output: outputTokens },
      { nowMs: now, lateMs: this.deps.clock.lateMs?.(now - own.startedMs) ?? 0, unit: this.deps.random.unit() },
    );
  }

  giveBack(slot: Slot): void {
    const own = slot as MemberSlot;
    this.slots.giveBack();
    this.budgets.refund(own.tokens, steadyMs(this.deps.clock));
    this.pool.giveBack(own);
  }

  async inspect(http: HttpClient, signal: AbortSignal): Promise<void> {
    const steady = steadyMs(this.deps.clock);
    // Calls that wait would be served sooner if there were more room.
    this.pool.still(this.calls.size === 0 && steady - this.slots.calledAt < CALLS_RECENT_MS);
    const busy = this.slots.own > 0 || this.calls.size > 0;
    const ownPart = this.slots.total === 0 ? 1 : this.slots.own / this.slots.total;
    await this.inspection.look(http, signal, { nowMs: this.deps.clock.now(), steadyMs: steady, busy, ownPart });
    this.pump();
  }

  figures(): GateFigures {
    const now = steadyMs(this.deps.clock);
    const own = {
      limit: this.limit,
      inFlight: this.inFlight,
      callsWaiting: this.calls.size,
      batchOpen: this.batchOpen,
      unreachable: unreachableOf(this.pool, this.deps.clock),
      members: this.pool.members.map((member) => figuresOf(member, this.limit, now)),
      held: this.holds.figures(),
    };
    return withOthers(own, this.deps.common?.figuresOf(this.provider.name) ?? []);
  }

  vacate(seat: number): void {
    this.slots.vacate(seat);
    this.gpu.vacate(seat, Math.round(this.deps.clock.micros()));
    this.pump();
  }

  close(): void {
    this.closed = true;
    this.timer.clear();
    this.calls.refuseLate(Number.POSITIVE_INFINITY, stopping);
  }

  /** Starts calls, then lines, while there is room; how long to wait for what holds the next one up, if that is known. */
  private startAll(): number {
    for (;;) {
      const call = this.calls.first;
      if (!call && !this.feed?.mayStart()) break;
      const now = steadyMs(this.deps.clock);
      const closedMs = call ? 0 : this.hours.closedMs;
      if (closedMs > 0) {
        this.feed?.detour();
        this.slots.wantNone();
        return closedMs;
      }
      // While somebody waits for answers, a few slots are kept for the next call.
      const part = !call && now - this.slots.calledAt < CALLS_RECENT_MS ? BATCH_PART : 1;
      // Those who have slots say when one is free.
      if (!this.slots.take(part < 1 ? Math.max(1, this.limit * part) : this.limit, call !== undefined)) {
        return this.slots.shared ? LOOK_AGAIN_MS : Number.POSITIVE_INFINITY;
      }
      const waitMs = this.startOne(call, part, now);
      if (waitMs === 0) continue;
      this.slots.giveBack();
      this.slots.wantNone();
      return waitMs;
    }
    this.slots.wantNone();
    return Number.POSITIVE_INFINITY;
  }

  /** Starts the call, or a line, in the slot that was taken: 0, else how long to wait, infinite when there is none to start. */
  private startOne(call: WaitingCall | undefined, part: number, now: number): number {
    const member = this.pool.preferring(call?.avoided, now, part);
    if (!member) {
      if (this.unreachable) {
        this.calls.refuseLate(Number.POSITIVE_INFINITY, () =>
          nobodyAnswers(this.provider.name, this.pool.unreachableReason),
        );
        this.feed?.detour();
      }
      return this.delayed(this.pool.waitMs(now), now);
    }
    const budgetWait = this.budgets.waitMs(now);
    if (budgetWait > 0) return this.delayed(budgetWait, now);
    if (call) {
      this.calls.admit(call, this.admit(this.placeOf(call, member, now), call.tokens, now));
      return 0;
    }
    const { feed } = this;
    const taken = feed && this.takeLine(feed, member, part, now);
    if (!feed || !taken) return Number.POSITIVE_INFINITY;
    const at = this.prefixes ? this.prefixes.choose(taken, feed.prompt(), now, part) : taken;
    const slot = new MemberSlot(at, steadyMs(this.deps.clock), true);
    this.book(slot, feed.start(slot), now);
    return 0;
  }

  /** Takes a line for `first`, or for another member that has room where all lines avoid that; the member that it is for. */
  private takeLine(feed: Feed, first: Member, part: number, now: number): Member | undefined {
    const passed: string[] = [];
    for (let at: Member | undefined = first; at !== undefined; at = this.pool.choose(now, part, passed)) {
      if (feed.take(at.url)) return at;
      if (!feed.hasParticular) return undefined;
      passed.push(at.url);
    }
    return undefined;
  }

  /** Nothing starts for `waitMs`: calls that cannot wait so long hear of it now. */
  private delayed(waitMs: number, now: number): number {
    if (Number.isFinite(waitMs)) {
      this.calls.refuseLate(now + waitMs - 1, () => noRoom(this.provider.name, Math.ceil(waitMs)));
    }
    return waitMs;
  }

  private book(slot: MemberSlot, tokens: number, now: number): void {
    slot.tokens = Math.min(tokens, this.budgets.tokensMax);
    this.budgets.spend(slot.tokens, now);
  }

  /** Admits a call that nothing is in the way of; null leaves it to the queue. */
  private admitNow(ask: Ask, now: number): Permit | null {
    if (this.pumping || !this.slots.take(this.limit, true)) return null;
    const member = this.pool.preferring(ask.avoided, now, 1);
    if (member && this.budgets.waitMs(now) <= 0) return this.admit(this.placeOf(ask, member, now), ask.tokens, now);
    this.slots.giveBack();
    return null;
  }

  /** Where a call goes: to `least`, the least loaded member, or to one that knows its prompt. */
  private placeOf({ avoided, prompt }: Pick<Ask, 'avoided' | 'prompt'>, least: Member, now: number): Member {
    if (this.prefixes === null || prompt === undefined || avoided !== undefined) return least;
    return this.prefixes.choose(least, prompt(), now, 1);
  }

  /** Books a call at a member, in the slot that was taken. */
  private admit(member: Member, tokens: number, now: number): Permit {
    const slot = new MemberSlot(member, now);
    this.book(slot, tokens, now);
    let settled = false;
    return {
      member: slot.member,
      settle: (failure, end) => {
        if (settled) return;
        settled = true;
        this.settle(slot, failure, end);
        this.pump();
      },
    };
  }
}
