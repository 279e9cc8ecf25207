import type { Failed, Success } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import type { GpuToken } from '../../core/gpu-time.ts';
import { judge, leftOf, recourseOf, type Settled } from '../../core/heal-line.ts';
import type { JudgedLine } from '../../core/healing.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { isPaidByTime } from '../../core/own-price.ts';
import { moveDelayMs, nextStep, pastTo } from '../../core/retry.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Slot } from '../../ports/gates.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { avoidedAfter } from '../gates/avoided.ts';
import { withVerdict } from '../ledger/price-attempt.ts';
import { type LineResult, resultOfAttempt, resultOfFailure, resultOfUnfit } from '../results/line-result.ts';
import { Answered } from './answered.ts';
import { targetOf } from './candidates.ts';
import { finishedAttempt, keptAnswer, noSuchProvider, settleBound } from './line-end.ts';
import { entryOf } from './line-entry.ts';
import type { LineFeed } from './line-feed.ts';
import { raiseBound } from './raise-bound.ts';
import type { AttemptOutcome } from './run-attempt.ts';
import { runAttempt } from './run-attempt.ts';
import type { SegmentQueue } from './segment-queue.ts';
import type { Job } from './work.ts';

/** One call of a line, in the slot that it was given. */
interface LineCall {
  readonly job: Job;
  readonly feed: LineFeed;
  readonly slot: Slot;
  readonly candidate: Candidate;
  /** Of a target that is paid by time, once the call is over. */
  gpuMicroseconds: number | null;
}

/** Takes a line from its first call to its result: attempts, entries, and where to go next. */
export class LineRunner {
  private readonly deps: Deps;
  private readonly feedOf: (provider: string) => LineFeed | undefined;
  /** Pools' targets that have answered. */
  private readonly served = new Set<string>();
  /** Lines that are in flight no more, and whose results are not written yet. */
  readonly answered: Answered;

  constructor(deps: Deps, feedOf: (provider: string) => LineFeed | undefined) {
    this.deps = deps;
    this.feedOf = feedOf;
    this.answered = new Answered(deps.clock);
  }

  /** Starts one attempt; its end is settled by itself. */
  start(job: Job, feed: LineFeed, slot: Slot): void {
    const { gate } = feed;
    const candidate = targetOf(job);
    if (!candidate) throw new Error('a line was started without a candidate');
    const batchId = job.segment.batch.row.id;
    const target = targetName(candidate);
    this.deps.inFlight?.begin(batchId, target);
    const pricedByTime = isPaidByTime(this.deps.ownPrices.get(gate.provider.name), candidate.model);
    let gpu: GpuToken | null = null;
    const call: LineCall = { job, feed, slot, candidate, gpuMicroseconds: null };
    runAttempt(this.deps, job, candidate, gate.provider, slot.member, {
      // Lines that wait for another's answer have no part in the pool's time.
      sent: () => {
        if (pricedByTime) gpu = gate.gpu.start(Math.round(this.deps.clock.micros()));
      },
      done: (outcome) => {
        this.deps.inFlight?.end(batchId, target);
        if (gpu) call.gpuMicroseconds = gate.gpu.end(gpu, Math.round(this.deps.clock.micros()));
        this.settle(call, outcome);
      },
    });
  }

  /** Sends a line to another of its candidates, as its own takes no lines. */
  moveTo(job: Job, candidate: number): void {
    const delayMs = moveDelayMs(job.progress, candidate, this.deps.random.unit());
    job.progress = pastTo(job.progress, candidate);
    this.enqueue(job, delayMs);
  }

  /** Sends every ready line of a queue without a feed to the first of its candidates that has one, or fails it. */
  passOn(queue: SegmentQueue): void {
    for (const flow of queue.flows.values()) {
      while (flow.offer() !== null) {
        const job = flow.take();
        const next = job.candidates.findIndex((candidate) => this.feedOf(candidate.provider) !== undefined);
        this.moveTo(job, Math.max(0, next));
      }
    }
  }

  /** Lines that will not be sent from here any more: their segment counts them no longer as under way. */
  forget(jobs: readonly Job[]): void {
    for (const job of jobs) {
      if (this.deliverLeft(job, null)) continue;
      job.segment.outstanding -= 1;
      settleBound(job);
    }
  }

  private settle(call: LineCall, outcome: AttemptOutcome): void {
    const { job, feed, slot, candidate } = call;
    if (outcome.reached) job.attempts += 1;
    if (outcome.warnings.length > 0) job.warnings.push(...outcome.warnings);
    const { result } = outcome;
    const { gate } = feed;
    const failure = outcome.failure && this.asWithdrawn(outcome.failure, candidate);
    const isCalled = result !== null && outcome.cached !== true;
    if (!isCalled) feed.giveBack(job, slot);
    if (result?.ok) {
      if (isCalled) feed.settle(job, slot, null, result.usage);
      this.answered.add(gate, () => this.afterAnswer(call, outcome, result));
      return;
    }
    if (failure) {
      const passes = isCalled && feed.settle(job, slot, failure, null);
      const end = (isPassing: boolean): void => {
        const told: Failure = isPassing ? { ...failure, passing: true } : failure;
        this.afterFailure(call, outcome, told);
      };
      if (passes === null && this.isLast(call, failure)) feed.park(job, end);
      else end(passes === true);
    }
    gate.pump();
  }

  /** Whether a line fails if its failure stands. */
  private isLast({ job: { candidates, progress }, feed, slot }: LineCall, failure: Failure): boolean {
    return nextStep(candidates, progress, failure, 0, avoidedAfter(feed.gate, progress, slot.member)).do === 'fail';
  }

  /** What a pool does not know that has answered for it is not the line's fault. */
  private asWithdrawn(failure: Failure, candidate: Candidate): Failure {
    if (failure.kind !== 'not_found' || !this.served.has(targetName(candidate))) return failure;
    return { ...failure, passing: true };
  }

  private afterAnswer(call: LineCall, outcome: AttemptOutcome, result: Success): void {
    const { job, candidate } = call;
    const isCalled = outcome.cached !== true;
    if (isCalled && call.feed.gate.provider.immediate?.served !== undefined) this.served.add(targetName(candidate));
    const from = job.progress.candidate;
    const verdict = judge(job, { from, result }, this.canGo(job));
    const final = verdict.do !== 'retry';
    const entry = withVerdict(this.entryOf(call, outcome, final), verdict);
    if (verdict.do === 'retry') {
      const { segment } = job;
      job.unfit.push({ code: verdict.code, target: targetName(candidate) });
      job.spare = { from, result };
      job.warnings.push(verdict.warning);
      if (segment.closed || !segment.batch.running) {
        this.giveUp(job, entry);
        return;
      }
      job.progress = { ...job.progress, candidate: verdict.candidate, tries: 0 };
      raiseBound(this.deps, job);
      this.goOn(job, entry, 0);
      return;
    }
    this.deliver(job, entry, { from, result, verdict });
  }

  /** `final`: the call decides its line. */
  private entryOf(call: LineCall, outcome: AttemptOutcome, final: boolean): LedgerEntryRow {
    const { job, feed, candidate, gpuMicroseconds } = call;
    const entry = entryOf(this.deps, job, { provider: feed.gate.provider, candidate, outcome, final, gpuMicroseconds });
    const isSilent = outcome.result?.ok === true && outcome.cached !== true && entry.usage === null;
    job.usedTokens =
      isSilent || job.usedTokens === null ? null : job.usedTokens + entry.inputTokens + entry.outputTokens;
    return entry;
  }

  /** Ends a line with an answer that is taken, or fails. */
  private deliver(job: Job, entry: LedgerEntryRow | null, { from, result, verdict }: Settled<Success>): void {
    if (verdict.do === 'take' && verdict.warning !== null) job.warnings.push(verdict.warning);
    const candidate = job.candidates[from];
    if (!candidate) throw new Error('a line was answered by no candidate');
    const attempt = finishedAttempt(job, candidate, entry);
    const isTaken = verdict.do === 'take';
    this.finish(
      job,
      entry,
      isTaken ? resultOfAttempt(attempt, result) : resultOfUnfit(attempt, result, verdict.failure),
    );
  }

  /** Where a line can be tried again: nowhere once its batch stops, so that an answer which is there counts. */
  private canGo({ candidates, segment }: Job): JudgedLine['canGo'] {
    return (index) => {
      const candidate = candidates[index];
      return !segment.batch.stopped && candidate !== undefined && this.feedOf(candidate.provider) !== undefined;
    };
  }

  private afterFailure(call: LineCall, outcome: AttemptOutcome, failure: Failure): void {
    const { job, candidate } = call;
    const { segment } = job;
    const stopped = failure.kind === 'interrupted' || segment.closed || !segment.batch.running;
    const avoided = avoidedAfter(call.feed.gate, job.progress, call.slot.member);
    const step = nextStep(job.candidates, job.progress, failure, this.deps.random.unit(), avoided);
    const recourse =
      !stopped && step.do === 'fail' ? recourseOf(job, job.progress.candidate, failure, this.canGo(job)) : null;
    const final = !stopped && step.do === 'fail' && recourse?.do !== 'go';
    const entry = outcome.reached ? this.entryOf(call, outcome, final) : null;
    if (recourse?.do === 'settle') {
      job.warnings.push(recourse.warning);
      this.deliver(job, entry, recourse);
      return;
    }
    if (final) {
      this.fail(job, candidate, failure, outcome.result?.ok === false ? outcome.result : null, entry);
      return;
    }
    if (stopped) {
      this.giveUp(job, entry);
      return;
    }
    const delayMs = step.do === 'retry' ? step.delayMs : 0;
    if (step.do === 'retry') job.progress = step.progress;
    else if (recourse) job.progress = { ...job.progress, candidate: recourse.candidate, tries: 0 };
    if (entry === null) this.enqueue(job, delayMs);
    else this.goOn(job, entry, delayMs);
  }

  /** Sends a line on, by its progress, once its last attempt is entered: one call of it at a time may be in doubt. */
  private goOn(job: Job, entry: LedgerEntryRow, delayMs: number): void {
    const { segment } = job;
    const notBefore = steadyMs(this.deps.clock) + delayMs;
    segment.batch.results.record(segment, entry, () => {
      if (segment.closed || !segment.batch.running) this.giveUp(job, null);
      else this.enqueue(job, notBefore - steadyMs(this.deps.clock));
    });
  }

  private enqueue(job: Job, delayMs: number): void {
    const candidate = targetOf(job);
    const feed = candidate && this.feedOf(candidate.provider);
    if (feed) feed.enqueue(job, delayMs);
    else if (candidate) this.fail(job, candidate, noSuchProvider(candidate), null, null);
  }

  private fail(
    job: Job,
    candidate: Candidate,
    failure: Failure,
    answer: Failed | null,
    entry: LedgerEntryRow | null,
  ): void {
    const attempt = finishedAttempt(job, candidate, entry);
    const failed = resultOfFailure(attempt, failure, answer);
    if (job.unfit.length === 0 || job.spare !== null) {
      this.finish(job, entry, failed);
      return;
    }
    void keptAnswer(this.deps, attempt, failure).then((kept) => this.finish(job, entry, kept ?? failed));
  }

  private finish(job: Job, entry: LedgerEntryRow | null, result: LineResult): void {
    job.segment.batch.budget?.correct(job.tokens, job.usedTokens, steadyMs(this.deps.clock));
    settleBound(job);
    job.segment.batch.results.finish({ ...result, segment: job.segment, entry });
  }

  /** Ends a line whose batch stops while it waits for a better answer with the one that is there; false without one. */
  private deliverLeft(job: Job, entry: LedgerEntryRow | null): boolean {
    const { batch, lost } = job.segment;
    const left = batch.stopped && !lost ? leftOf(job) : null;
    if (left !== null) this.deliver(job, entry, left);
    return left !== null;
  }

  private giveUp(job: Job, entry: LedgerEntryRow | null): void {
    if (this.deliverLeft(job, entry)) return;
    settleBound(job);
    job.segment.batch.results.giveUp(job.segment, entry);
  }
}
