import { type Candidate, isLimited } from '../../core/lane.ts';
import type { Gate, TargetGate } from '../../ports/gates.ts';
import type { BatchFlow } from './segment-queue.ts';
import type { Job } from './work.ts';

/** What keeps lines of a target from being sent now. */
export type Held = 'hours' | 'rate';

/** Where a line is to go by its progress. */
function targetOf({ candidates, progress }: Job): Candidate | undefined {
  return candidates[progress.candidate];
}

/** The lines of one provider whose targets have rates or hours of their own. */
export class HeldLines {
  private readonly gate: Gate;
  /** Called with the milliseconds until a held line may go. */
  private readonly wakeIn: (ms: number) => void;

  constructor(gate: Gate, wakeIn: (ms: number) => void) {
    this.gate = gate;
    this.wakeIn = wakeIn;
  }

  isLimited(job: Job): boolean {
    const target = targetOf(job);
    return target !== undefined && isLimited(target);
  }

  /** Whether lines of a batch may not go to a target now; null when they may. */
  holds({ batch }: Pick<BatchFlow, 'batch'>, candidate: Candidate | null): Held | null {
    if (candidate === null || !isLimited(candidate)) return null;
    const target = this.gate.target(batch.row.tenantId, candidate);
    return target === null ? null : this.heldBy(target);
  }

  holdsJob(job: Job): Held | null {
    return this.holds(job.segment, targetOf(job) ?? null);
  }

  /** Books a line that is sent. */
  book(job: Job): void {
    const target = targetOf(job);
    if (target === undefined || !isLimited(target)) return;
    job.booking = this.gate.target(job.segment.batch.row.tenantId, target)?.spend(job.tokens) ?? null;
  }

  /** Books its end: `usedTokens` is null when nobody knows what it used. */
  settle(job: Job, usedTokens: number | null): void {
    if (job.booking === null) return;
    if (usedTokens !== null) job.booking.correct(usedTokens);
    job.booking = null;
  }

  private heldBy(target: TargetGate): Held | null {
    const { closedMs } = target;
    const waitMs = closedMs > 0 ? closedMs : target.waitMs;
    if (waitMs === 0) return null;
    this.wakeIn(waitMs);
    return closedMs > 0 ? 'hours' : 'rate';
  }
}
