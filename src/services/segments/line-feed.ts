/**
 * The batch lines of one provider. They wait here in three places: freshly taken from segment queues, `ready` again
 * after a failure, or `delayed` until their time. The provider's gate takes them from here when it has room.
 */
import type { Failure } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import { detour } from '../../core/retry.ts';
import { totalInput, totalOutput, type Usage } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Feed, Gate, Slot } from '../../ports/gates.ts';
import type { SegmentQueue } from './segment-queue.ts';
import type { Job } from './work.ts';

export interface FeedHooks {
  /** False while too many results wait to be committed. */
  mayStart(): boolean;
  start(job: Job, feed: LineFeed, slot: Slot): void;
  /** The line's target cannot be reached: let it go to its next candidate. */
  reroute(job: Job, candidate: number): void;
}

export class LineFeed implements Feed {
  readonly gate: Gate;
  /** Where fresh lines come from; a shared queue stands in several feeds, each with a cap of its own. */
  readonly sources: { queue: SegmentQueue; cap: number; inFlight: number }[] = [];
  /** Lines of this feed at the provider now. */
  inFlight = 0;

  private readonly deps: Pick<Deps, 'clock'>;
  private readonly hooks: FeedHooks;
  private ready: Job[] = [];
  private delayed: { job: Job; at: number }[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(deps: Pick<Deps, 'clock'>, gate: Gate, hooks: FeedHooks) {
    this.deps = deps;
    this.gate = gate;
    this.hooks = hooks;
    gate.attach(this);
  }

  /** Lines here that are not in flight. */
  get waiting(): number {
    return this.ready.length + this.delayed.length;
  }

  /** Takes a line that comes back: now, or after a delay. */
  enqueue(job: Job, delayMs: number): void {
    if (delayMs <= 0) {
      this.ready.push(job);
      this.gate.pump();
      return;
    }
    const now = this.deps.clock.now();
    this.delayed.push({ job, at: now + delayMs });
    this.wakeAt(now + delayMs, now);
  }

  mayStart(): boolean {
    return this.hooks.mayStart();
  }

  start(slot: Slot): number | null {
    const job = this.takeJob();
    if (!job) return null;
    this.inFlight += 1;
    this.hooks.start(job, this, slot);
    return estimateTokens(job);
  }

  /** Books the end of a call, before the line moves on. `usage`: null when unknown; a failed call used nothing. */
  settle(job: Job, slot: Slot, failure: Failure | null, usage: Usage | null): void {
    this.inFlight -= 1;
    this.countShared(job, -1);
    if (failure !== null) this.gate.settle(slot, failure, 0, 0);
    else if (usage === null) this.gate.settle(slot, null, null, 0);
    else this.gate.settle(slot, null, totalInput(usage) + totalOutput(usage), totalOutput(usage));
  }

  detour(): void {
    const stuck: Job[] = [];
    while (stuck.length < this.gate.limit) {
      const job = this.takeJob();
      if (!job) break;
      this.countShared(job, -1);
      const next = detour(job.candidates, job.progress.candidate);
      if (next === null) stuck.push(job);
      else this.hooks.reroute(job, next);
    }
    this.ready = [...stuck, ...this.ready];
  }

  /** Takes back every line that is not in flight: the process stops, or their segment is gone. */
  withdraw(isGone: (job: Job) => boolean): Job[] {
    const gone = [...this.ready, ...this.delayed.map(({ job }) => job)].filter(isGone);
    this.ready = this.ready.filter((job) => !isGone(job));
    this.delayed = this.delayed.filter(({ job }) => !isGone(job));
    return gone;
  }

  close(): void {
    this.gate.detach(this);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private takeJob(): Job | undefined {
    const job = this.ready.shift() ?? this.takeFresh();
    if (job) this.countShared(job, 1);
    return job;
  }

  private takeFresh(): Job | undefined {
    for (let count = this.sources.length; count > 0; count--) {
      const source = this.sources.shift();
      if (!source) return undefined;
      this.sources.push(source);
      if (source.inFlight >= source.cap) continue;
      const job = source.queue.next();
      if (!job) continue;
      job.candidates = this.startingHere(job);
      return job;
    }
    return undefined;
  }

  /** Of a shared queue's candidates, the one that takes the line comes first; the others are its alternatives. */
  private startingHere({ segment: { lane } }: Job): readonly Candidate[] {
    if (lane.shared < 2) return lane.candidates;
    const mine = lane.candidates.findIndex((candidate) => candidate.provider === this.gate.provider.name);
    const shared = lane.candidates.slice(0, lane.shared);
    return [...shared.slice(mine), ...shared.slice(0, mine), ...lane.candidates.slice(lane.shared)];
  }

  /** Lines of a shared queue count against their feed's share of it, as long as they are where they began. */
  private countShared(job: Job, change: 1 | -1): void {
    if (job.segment.lane.shared < 2 || job.progress.candidate > 0) return;
    const own = this.sources.find(({ queue }) => queue.key === job.segment.lease.queue);
    if (own) own.inFlight += change;
  }

  private promoteDelayed(): void {
    const now = this.deps.clock.now();
    const due = this.delayed.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    if (due.length > 0) this.delayed = this.delayed.filter(({ at }) => at > now);
    for (const { job } of due) this.ready.push(job);
    this.wakeAt(
      this.delayed.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY),
      now,
    );
    if (due.length > 0) this.gate.pump();
  }

  /** One timer for the line that is due first. */
  private wakeAt(at: number, now: number): void {
    if (!Number.isFinite(at) || (this.timer !== null && this.timerAt <= at)) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAt = Number.POSITIVE_INFINITY;
        this.promoteDelayed();
      },
      Math.max(1, at - now),
    );
  }
}

/** Before the answer: four bytes a token, and all the output the request allows. */
function estimateTokens(job: Job): number {
  const { body } = job.request;
  const limit = body.max_completion_tokens ?? body.max_tokens ?? body.max_output_tokens;
  return Math.ceil(job.bytes / 4) + (typeof limit === 'number' && limit > 0 ? limit : 0);
}
