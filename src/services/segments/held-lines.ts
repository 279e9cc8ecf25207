import type { Failure } from '../../core/failure.ts';
import { type Candidate, isLimited } from '../../core/lane.ts';
import { accountSign, type RefusalVerdict } from '../../core/target-hold.ts';
import { type Clock, steadyMs } from '../../ports/clock.ts';
import type { Gate, Slot, TargetGate } from '../../ports/gates.ts';
import { targetOf } from './candidates.ts';
import { ParkedLines } from './parked-lines.ts';
import type { BatchFlow } from './segment-queue.ts';
import type { Job } from './work.ts';

/** Times are milliseconds of the steady clock. */
interface Denied {
  times: number;
  since: number;
  at: number;
}

/** What keeps lines of a target from being sent now. */
export type Held = 'hours' | 'rate' | 'account';

/** The lines of one provider whose targets have rates or hours of their own, or refuse the account. */
export class HeldLines {
  private readonly gate: Gate;
  /** Called with the milliseconds until a held line may go. */
  private readonly wakeIn: (ms: number) => void;
  private readonly clock: Pick<Clock, 'micros'>;
  /** Lines that may have been refused for their own sake, and were kept. */
  private readonly denied = new WeakMap<Job, Denied>();
  readonly parked: ParkedLines;

  constructor(clock: Pick<Clock, 'micros'>, gate: Gate, wakeIn: (ms: number) => void) {
    this.gate = gate;
    this.clock = clock;
    this.wakeIn = wakeIn;
    this.parked = new ParkedLines(clock, {
      verdictOf: ({ job, model, refusedAt }) => {
        const verdict = gate.holds.verdict(model, refusedAt);
        return verdict === 'account' && !this.mayComeBack(job, refusedAt) ? 'own' : verdict;
      },
      triesAgain: ({ job, refusedAt }) => this.isAlone(job, this.deny(job, refusedAt)),
    });
  }

  isLimited(job: Job): boolean {
    const target = targetOf(job);
    return target !== undefined && isLimited(target);
  }

  /** Whether lines of a batch may not go to a target now; null when they may. */
  holds({ batch }: Pick<BatchFlow, 'batch'>, candidate: Candidate | null): Held | null {
    if (candidate === null) return null;
    if (this.refusesAccount(candidate)) return 'account';
    if (!isLimited(candidate)) return null;
    const target = this.gate.target(batch.row.tenantId, candidate);
    return target === null ? null : this.heldBy(target);
  }

  holdsJob(job: Job): Held | null {
    return this.holds(job.segment, targetOf(job) ?? null);
  }

  /** Books a line that is sent. */
  book(job: Job, slot: Slot): void {
    const target = targetOf(job);
    if (target === undefined) return;
    this.gate.holds.started(target.model, slot);
    if (!isLimited(target)) return;
    job.booking = this.gate.target(job.segment.batch.row.tenantId, target)?.spend(job.tokens) ?? null;
  }

  /** Books its end: `usedTokens` is null when nobody knows what it used. Answers whose sake it failed for. */
  settle(job: Job, slot: Slot, failure: Failure | null, usedTokens: number | null): RefusalVerdict {
    if (usedTokens !== null) job.booking?.correct(usedTokens);
    job.booking = null;
    const target = targetOf(job);
    if (target === undefined) return 'own';
    const verdict = this.gate.holds.settle(target.model, slot, failure);
    if (verdict === 'own' || failure === null || accountSign(failure) === 'sure') return verdict;
    if (verdict === 'open') {
      const before = this.denied.get(job);
      // Others were let in since it was refused last.
      return before && this.gate.holds.verdict(target.model, before.at) === 'own' ? 'own' : 'open';
    }
    return this.mayComeBack(job, steadyMs(this.clock)) ? 'account' : 'own';
  }

  /** Keeps a line whose failure is nobody's yet: `end` is called by whether it was the account's. */
  park(job: Job, end: (isKept: boolean) => void): void {
    const target = targetOf(job);
    if (target === undefined) end(false);
    else this.parked.park(job, target.model, end);
  }

  /** Books that it was not sent after all. */
  giveBack(job: Job, slot: Slot): void {
    job.booking?.refund();
    job.booking = null;
    const target = targetOf(job);
    if (target !== undefined) this.gate.holds.giveBack(target.model, slot);
  }

  /** Whether a line's target refuses the account as far as is known: others tell sooner whether it still does. */
  isRefused(job: Job): boolean {
    const target = targetOf(job);
    return target !== undefined && this.gate.holds.refuses(target.model);
  }

  /** Where lines of their own are refused in long runs, each comes back but once: one after the other finds that out. */
  private mayComeBack(job: Job, refusedAt: number): boolean {
    const target = targetOf(job);
    if (target === undefined) return false;
    const denied = this.deny(job, refusedAt);
    const most = target.retry.attempts;
    const isFew = denied.times <= (this.gate.holds.wasWrong(target.model) ? Math.min(1, most) : most);
    return isFew || this.isAlone(job, denied);
  }

  /** Books that a line was refused, maybe for its own sake. */
  private deny(job: Job, refusedAt: number): Denied {
    const before = this.denied.get(job);
    const denied = { times: (before?.times ?? 0) + 1, since: before?.since ?? refusedAt, at: refusedAt };
    this.denied.set(job, denied);
    return denied;
  }

  private isAlone(job: Job, { since, at }: Denied): boolean {
    const target = targetOf(job);
    return target !== undefined && this.gate.holds.timeTells(target.model, at - since);
  }

  private refusesAccount({ model }: Candidate): boolean {
    const { holds } = this.gate;
    const waitMs = holds.any ? holds.waitMs(model) : 0;
    if (waitMs > 0) this.wakeIn(waitMs);
    return waitMs > 0;
  }

  private heldBy(target: TargetGate): Held | null {
    const { closedMs } = target;
    const waitMs = closedMs > 0 ? closedMs : target.waitMs;
    if (waitMs === 0) return null;
    this.wakeIn(waitMs);
    return closedMs > 0 ? 'hours' : 'rate';
  }
}
