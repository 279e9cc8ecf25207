/**
 * The way to one provider: how many requests may be in flight, how fast, and to which of its members. Lines wait here
 * in three places: freshly taken from segment queues, `ready` again after a failure, or `delayed` until their time.
 */
import type { Provider } from '../../../providers/contract.ts';
import { Breaker } from '../../core/breaker.ts';
import type { Failure } from '../../core/failure.ts';
import { GpuClock } from '../../core/gpu-time.ts';
import type { Candidate } from '../../core/lane.ts';
import { MinuteBudget } from '../../core/limiter.ts';
import { detour, isPressure } from '../../core/retry.ts';
import type { Deps } from '../../ports/deps.ts';
import type { SegmentQueue } from './segment-queue.ts';
import type { Job } from './work.ts';

export interface Member {
  url: string;
  inFlight: number;
  breaker: Breaker;
}

export interface GateHooks {
  /** False while too many results wait to be committed. */
  mayStart(): boolean;
  start(job: Job, gate: Gate, member: Member): void;
  /** The line's target cannot be reached: let it go to its next candidate. */
  reroute(job: Job, candidate: number): void;
}

export class Gate {
  readonly provider: Provider;
  readonly limit: number;
  readonly gpu = new GpuClock();
  readonly members: readonly Member[];
  inFlight = 0;
  /** Where fresh lines come from; a shared queue stands in several gates, each with a cap of its own. */
  readonly sources: { queue: SegmentQueue; cap: number; inFlight: number }[] = [];

  private readonly deps: Deps;
  private readonly hooks: GateHooks;
  private readonly requests: MinuteBudget | null;
  private readonly tokens: MinuteBudget | null;
  private ready: Job[] = [];
  private delayed: { job: Job; at: number }[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;
  private pumping = false;

  constructor(deps: Deps, provider: Provider, hooks: GateHooks) {
    this.deps = deps;
    this.provider = provider;
    this.hooks = hooks;
    this.limit = provider.limits.concurrency ?? deps.settings.defaultConcurrency;
    const now = deps.clock.now();
    this.requests = budget(provider.limits.requestsPerMinute, now);
    this.tokens = budget(provider.limits.tokensPerMinute, now);
    this.members = (provider.immediate?.members ?? []).map((url) => ({ url, inFlight: 0, breaker: new Breaker() }));
  }

  /** Lines here that are not in flight. */
  get waiting(): number {
    return this.ready.length + this.delayed.length;
  }

  get unreachable(): boolean {
    return this.members.every((member) => member.breaker.unreachable);
  }

  /** Takes a line that comes back: now, or after a delay. */
  enqueue(job: Job, delayMs: number): void {
    if (delayMs <= 0) this.ready.push(job);
    else this.delayed.push({ job, at: this.deps.clock.now() + delayMs });
    this.pump();
  }

  /** Starts what may start. */
  pump(): void {
    // A start can call back into pump; one loop at a time is enough.
    if (this.pumping) return;
    this.pumping = true;
    try {
      this.promoteDelayed();
      while (this.hooks.mayStart() && this.inFlight < this.limit) {
        const member = this.chooseMember();
        if (!member) {
          if (this.unreachable) this.detourAll();
          break;
        }
        if (!this.startOne(member)) break;
      }
    } finally {
      this.pumping = false;
    }
    this.wakeLater();
  }

  /** Books the end of a call, before the line moves on. */
  settle(job: Job, member: Member, failure: Failure | null): void {
    this.inFlight -= 1;
    member.inFlight -= 1;
    this.countShared(job, -1);
    if (failure === null || !isPressure(failure)) {
      // An answer, even a bad one, shows that somebody is there.
      if (failure === null || failure.status !== null) member.breaker.success();
      return;
    }
    const trouble = failure.kind === 'connection' ? 'unreachable' : 'pressure';
    member.breaker.failure(trouble, failure.retryAfterMs, this.deps.clock.now(), this.deps.random.unit());
  }

  /** Corrects the token budget by what a call really used: its usage, nothing after a failure, or as estimated if unknown. */
  correctTokens(job: Job, used: number | null): void {
    if (!this.tokens) return;
    const estimated = this.estimate(job);
    this.tokens.spend((used ?? estimated) - estimated, this.deps.clock.now());
  }

  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  private estimate(job: Job): number {
    return Math.min(estimateTokens(job), this.provider.limits.tokensPerMinute ?? Number.POSITIVE_INFINITY);
  }

  /** Takes back every line that is not in flight: the process stops, or their segment is gone. */
  withdraw(isGone: (job: Job) => boolean): Job[] {
    const gone = [...this.ready, ...this.delayed.map(({ job }) => job)].filter(isGone);
    this.ready = this.ready.filter((job) => !isGone(job));
    this.delayed = this.delayed.filter(({ job }) => !isGone(job));
    return gone;
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private startOne(member: Member): boolean {
    const now = this.deps.clock.now();
    if ((this.requests?.waitMs(1, now) ?? 0) > 0 || (this.tokens?.waitMs(1, now) ?? 0) > 0) return false;
    const job = this.takeJob();
    if (!job) return false;
    this.requests?.spend(1, now);
    if (this.tokens) this.tokens.spend(this.estimate(job), now);
    this.inFlight += 1;
    member.inFlight += 1;
    this.hooks.start(job, this, member);
    return true;
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
    const mine = lane.candidates.findIndex((candidate) => candidate.provider === this.provider.name);
    const shared = lane.candidates.slice(0, lane.shared);
    return [...shared.slice(mine), ...shared.slice(0, mine), ...lane.candidates.slice(lane.shared)];
  }

  /** Lines of a shared queue count against their gate's share of it, as long as they are where they began. */
  private countShared(job: Job, change: 1 | -1): void {
    if (job.segment.lane.shared < 2 || job.progress.candidate > 0) return;
    const own = this.sources.find(({ queue }) => queue.key === job.segment.lease.queue);
    if (own) own.inFlight += change;
  }

  private chooseMember(): Member | undefined {
    const now = this.deps.clock.now();
    let best: Member | undefined;
    for (const member of this.members) {
      if (member.breaker.waitMs(now, member.inFlight) > 0) continue;
      if (!best || member.inFlight < best.inFlight) best = member;
    }
    return best;
  }

  /** Nothing answers at this provider: lines with somewhere else to go do not wait for it. */
  private detourAll(): void {
    const stuck: Job[] = [];
    while (stuck.length < this.limit) {
      const job = this.takeJob();
      if (!job) break;
      this.countShared(job, -1);
      const next = detour(job.candidates, job.progress.candidate);
      if (next === null) stuck.push(job);
      else this.hooks.reroute(job, next);
    }
    this.ready = [...stuck, ...this.ready];
  }

  private promoteDelayed(): void {
    if (this.delayed.length === 0) return;
    const now = this.deps.clock.now();
    const due = this.delayed.filter(({ at }) => at <= now);
    if (due.length === 0) return;
    this.delayed = this.delayed.filter(({ at }) => at > now);
    for (const { job } of due.sort((a, b) => a.at - b.at)) this.ready.push(job);
  }

  /** One timer for the next moment at which something may start by itself. */
  private wakeLater(): void {
    const idle = this.delayed.length === 0 && this.requests === null && this.tokens === null;
    if (idle && this.timer === null && this.members.every((member) => member.breaker.closed)) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const now = this.deps.clock.now();
    const waits = this.delayed.map(({ at }) => at - now);
    if (this.inFlight < this.limit && (this.waiting > 0 || this.sources.some(({ queue }) => queue.undispatched > 0))) {
      for (const { breaker, inFlight } of this.members) if (!breaker.closed) waits.push(breaker.waitMs(now, inFlight));
      if (this.requests) waits.push(this.requests.waitMs(1, now));
      if (this.tokens) waits.push(this.tokens.waitMs(1, now));
    }
    // What came due while the loop ran has a wait of 0: it needs the timer as much as what is still to come.
    const next = waits.filter(Number.isFinite).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    if (Number.isFinite(next)) this.timer = setTimeout(() => this.pump(), Math.max(1, next));
  }
}

function budget(perMinute: number | null, now: number): MinuteBudget | null {
  return perMinute === null ? null : new MinuteBudget(perMinute, now);
}

/** Before the answer: four bytes a token, and all the output the request allows. */
function estimateTokens(job: Job): number {
  const { body } = job.request;
  const limit = body.max_completion_tokens ?? body.max_tokens ?? body.max_output_tokens;
  return Math.ceil(job.bytes / 4) + (typeof limit === 'number' && limit > 0 ? limit : 0);
}
