import type { Failure } from '../../core/failure.ts';
import { type Candidate, isLimited } from '../../core/lane.ts';
import { accountSign, type RefusalVerdict } from '../../core/target-hold.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Gate, Slot, TargetGate } from '../../ports/gates.ts';
import { ParkedLines } from './parked-lines.ts';
import type { BatchFlow } from './segment-queue.ts';
import type { Job } from './work.ts';

/** What keeps lines of a target from being sent now. */
export type Held = 'hours' | 'rate' | 'account';

/** Where a line is to go by its progress. */
function targetOf({ candidates, progress }: Job): Candidate | undefined {
  return candidates[progress.candidate];
}

/** The lines of one provider whose targets have rates or hours of their own, or refuse the account. */
export class HeldLines {
  private readonly gate: Gate;
  /** Called with the milliseconds until a held line may go. */
  private readonly wakeIn: (ms: number) => void;
  /** How often lines were kept that may have been refused for their own sake. */
  private readonly denied = new WeakMap<Job, number>();
  readonly parked: ParkedLines;

  constructor(clock: Pick<Clock, 'micros'>, gate: Gate, wakeIn: (ms: number) => void) {
    this.gate = gate;
    this.wakeIn = wakeIn;
    this.parked = new ParkedLines(clock, ({ job, model, refusedAt }) => {
      const verdict = gate.holds.verdict(model, refusedAt);
      return verdict === 'account' && !this.mayComeBack(job) ? 'own' : verdict;
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
    // Others were let in since it was refused last.
    if (verdict === 'open') return this.denied.has(job) ? 'own' : 'open';
    if (verdict === 'own' || failure === null || accountSign(failure) === 'sure') return verdict;
    return this.mayComeBack(job) ? 'account' : 'own';
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
  private mayComeBack(job: Job): boolean {
    const target = targetOf(job);
    if (target === undefined) return false;
    const before = this.denied.get(job) ?? 0;
    this.denied.set(job, before + 1);
    const most = target.retry.attempts;
    return before < (this.gate.holds.wasWrong(target.model) ? Math.min(1, most) : most);
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
