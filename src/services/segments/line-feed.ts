/**
 * The batch lines of one provider. They wait here in three places: freshly taken from segment queues, `ready` again
 * after a failure, or `delayed` until their time. The provider's gate takes them from here when it has room.
 */

import type { Failure } from '../../core/failure.ts';
import { type Candidate, isLimited } from '../../core/lane.ts';
import type { Troubles } from '../../core/outage.ts';
import { promptStart } from '../../core/prefix-map.ts';
import { faultOf } from '../../core/retry.ts';
import { totalInput, totalOutput, type Usage } from '../../core/usage.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Feed, Gate, Slot } from '../../ports/gates.ts';
import { WakeTimer } from '../gates/wake-timer.ts';
import { nextOf, targetOf } from './candidates.ts';
import { FreshLines } from './fresh-lines.ts';
import { type Held, HeldLines } from './held-lines.ts';
import type { BatchFlow } from './segment-queue.ts';
import type { Job } from './work.ts';

export interface FeedHooks {
  /** False while too many results wait to be committed. */
  mayStart(): boolean;
  start(job: Job, feed: LineFeed, slot: Slot): void;
  /** The line's target cannot be reached: let it go to its next candidate. */
  reroute(job: Job, candidate: number): void;
  /** Whether another of the line's candidates takes lines now. */
  takes(job: Job, candidate: number): boolean;
}

export class LineFeed implements Feed {
  readonly gate: Gate;
  private readonly fresh = new FreshLines((flow, target) => this.held.holds(flow, target) !== null);
  /** Lines of this feed at the provider now. */
  inFlight = 0;

  private readonly deps: Pick<Deps, 'clock'>;
  private readonly hooks: FeedHooks;
  /** Between `take` and `start`. */
  private taken: Job | null = null;
  private ready: Job[] = [];
  private delayed: { job: Job; at: number }[] = [];
  private readonly timer = new WakeTimer(() => this.promoteDelayed());
  private readonly held: HeldLines;
  private readonly wake: WakeTimer;
  /** What lines met here that were not served. */
  private readonly troubles = new WeakMap<Job, Troubles>();
  /** Whether a line here has a target with rates or hours of its own. */
  private limited = false;
  hasParticular = false;

  constructor(deps: Pick<Deps, 'clock'>, gate: Gate, hooks: FeedHooks) {
    this.deps = deps;
    this.gate = gate;
    this.hooks = hooks;
    const wake = new WakeTimer(() => gate.pump());
    this.held = new HeldLines(deps.clock, gate, (ms) => {
      const now = steadyMs(deps.clock);
      wake.set(now + ms, now);
    });
    this.wake = wake;
    gate.attach(this);
  }

  /** `index`: the target's place among those that share the queue. */
  addSource(key: string, cap: () => number, target: Candidate, index: number): void {
    this.limited ||= isLimited(target);
    this.fresh.addSource(key, cap, target, index);
  }

  hasSource(key: string): boolean {
    return this.fresh.hasSource(key);
  }

  /** Takes a batch's lines in a queue into account, or no longer. */
  changeFlow(key: string, flow: BatchFlow, change: 'opened' | 'closed'): void {
    this.fresh.changeFlow(key, flow, change);
  }

  /** Lines here that are not in flight. */
  get waiting(): number {
    return this.ready.length + this.delayed.length + this.held.parked.size;
  }

  /** Takes a line that comes back: now, or after a delay. */
  enqueue(job: Job, delayMs: number): void {
    this.limited ||= this.held.isLimited(job);
    if (delayMs <= 0) {
      this.ready.push(job);
      this.gate.pump();
      return;
    }
    const now = steadyMs(this.deps.clock);
    this.delayed.push({ job, at: now + delayMs });
    this.timer.set(now + delayMs, now);
  }

  /** Whether lines may be sent from here to a target now. */
  takes({ segment }: Job, target: Candidate): boolean {
    return this.gate.batchOpen && !this.gate.unreachable && this.held.holds(segment, target) === null;
  }

  mayStart(): boolean {
    return this.hooks.mayStart();
  }

  take(member: string): boolean {
    if (this.mayHold) this.leaveClosedTargets();
    this.taken = this.takeJob(member) ?? null;
    return this.taken !== null;
  }

  /** None of a line that avoids a member: it goes where it was taken for. */
  prompt(): string {
    return this.taken === null || this.taken.progress.avoided !== undefined ? '' : promptStart(this.taken.request.body);
  }

  start(slot: Slot): number {
    const job = this.taken;
    if (job === null) throw new Error('no line was taken');
    this.taken = null;
    this.inFlight += 1;
    slot.troubles = this.troubles.get(job) ?? null;
    this.held.book(job, slot);
    this.hooks.start(job, this, slot);
    return job.tokens;
  }

  /**
   * Books the end of a call, before the line moves on. `usage`: null when unknown; a failed call used nothing. Answers whether
   * the failure passes, as it speaks of the provider or of the account; null where that is open: see `park`.
   */
  settle(job: Job, slot: Slot, failure: Failure | null, usage: Usage | null): boolean | null {
    this.inFlight -= 1;
    this.fresh.count(job, -1);
    const output = failure !== null || usage === null ? 0 : totalOutput(usage);
    const used = failure !== null ? 0 : usage === null ? null : totalInput(usage) + output;
    const verdict = this.held.settle(job, slot, failure, used);
    const model = targetOf(job)?.model ?? '';
    const passes = this.gate.settle(slot, failure, { model, usedTokens: used, outputTokens: output });
    this.held.parked.look();
    if (failure !== null && faultOf(failure) === 'trouble') this.noteTrouble(job);
    return passes || (verdict === 'open' ? null : verdict === 'account');
  }

  private noteTrouble(job: Job): void {
    const at = steadyMs(this.deps.clock);
    this.troubles.set(job, { since: this.troubles.get(job)?.since ?? at, at });
  }

  /** Keeps a line whose failure may pass, until it is known whether it does. */
  park(job: Job, end: (passes: boolean) => void): void {
    this.held.park(job, end);
  }

  /** Books that nobody was called for the line. */
  giveBack(job: Job, slot: Slot): void {
    this.inFlight -= 1;
    this.fresh.count(job, -1);
    this.held.giveBack(job, slot);
    this.gate.giveBack(slot);
  }

  detour(): void {
    const stuck: Job[] = [];
    while (stuck.length < this.gate.limit) {
      const job = this.takeJob(null);
      if (!job) break;
      this.fresh.count(job, -1);
      const to = this.wayFrom(job);
      if (to === null) stuck.push(job);
      else this.hooks.reroute(job, to);
    }
    this.ready = [...stuck, ...this.ready];
  }

  /** Takes back every line that is not in flight: the process stops, or their segment is gone. */
  withdraw(isGone: (job: Job) => boolean): Job[] {
    this.held.parked.withdraw(isGone);
    const gone = [...this.ready, ...this.delayed.map(({ job }) => job)].filter(isGone);
    this.ready = this.ready.filter((job) => !isGone(job));
    this.delayed = this.delayed.filter(({ job }) => !isGone(job));
    return gone;
  }

  close(): void {
    this.gate.detach(this);
    this.timer.clear();
    this.wake.clear();
    this.held.parked.close();
  }

  /** `member`: where it is to go; null when it only moves on. */
  private takeJob(member: string | null): Job | undefined {
    this.hasParticular = false;
    const { parts } = this.fresh;
    parts.passedOver = false;
    const first = this.takeNext(member, parts.any);
    // What no other model wants is for those, too, that have their part.
    const job = first ?? (parts.passedOver ? this.takeNext(member, false) : undefined);
    if (job) this.fresh.count(job, 1);
    return job;
  }

  private takeNext(member: string | null, byParts: boolean): Job | undefined {
    // Whether an account is still refused, or a server out, tell lines that did not fail there: those may have for their own sake.
    return (
      (this.ready.length > 0 && this.gate.inTrouble ? this.fresh.take(byParts) : undefined) ??
      this.takeReady(member, { refused: false, byParts }) ??
      this.fresh.take(byParts) ??
      (this.gate.holds.any ? this.takeReady(member, { refused: true, byParts }) : undefined)
    );
  }

  /** Whether a line here may be held: most feeds need not look. */
  private get mayHold(): boolean {
    return this.limited || this.gate.holds.any;
  }

  private takeReady(
    member: string | null,
    { refused, byParts }: { refused: boolean; byParts: boolean },
  ): Job | undefined {
    // Mostly nothing waits to be tried again.
    if (this.ready.length === 0) return undefined;
    const refusing = this.gate.holds.any;
    const at = this.ready.findIndex((job) => {
      if (refusing && this.held.isRefused(job) !== refused) return false;
      if (this.mayHold && this.held.holdsJob(job) !== null) return false;
      if (byParts && this.fresh.isFull(job)) return false;
      const avoids = member !== null && this.avoids(job, member);
      this.hasParticular ||= avoids;
      return !avoids;
    });
    return at < 0 ? undefined : this.ready.splice(at, 1)[0];
  }

  private avoids({ progress: { avoided } }: Job, member: string): boolean {
    return avoided?.includes(member) === true && this.gate.hasOther(avoided);
  }

  /** Lines whose target keeps to its hours now, or refuses the account, go on to the next one, where there is one that may take them. */
  private leaveClosedTargets(): void {
    const isClosed = (held: Held | null): boolean => held === 'hours' || held === 'account';
    const waiting = this.ready;
    this.ready = [];
    for (const job of waiting) {
      const to = isClosed(this.held.holdsJob(job)) ? this.wayFrom(job) : null;
      if (to === null) this.ready.push(job);
      else this.hooks.reroute(job, to);
    }
    const leaving = this.fresh.takeLeaving((flow, target) => isClosed(this.held.holds(flow, target)), this.gate.limit);
    for (const job of leaving) this.hooks.reroute(job, nextOf(job) ?? 0);
  }

  /** Where a line goes whose target is closed: on, or, at the last one, back to one that it went past and that takes lines now. */
  private wayFrom(job: Job): number | null {
    return nextOf(job) ?? job.progress.passed?.find((index) => this.hooks.takes(job, index)) ?? null;
  }

  private promoteDelayed(): void {
    const now = steadyMs(this.deps.clock);
    const due = this.delayed.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    if (due.length > 0) this.delayed = this.delayed.filter(({ at }) => at > now);
    for (const { job } of due) this.ready.push(job);
    this.timer.set(
      this.delayed.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY),
      now,
    );
    if (due.length > 0) this.gate.pump();
  }
}
