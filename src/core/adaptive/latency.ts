import { isWait } from './waits.ts';
import { Window } from './window.ts';

const SLOW = 1.5;
/** How unlikely a run of slow answers must be to count as news. */
const CHANCE = 1e-7;
const RUN_LEAST = 4;
const OF_LATE = 64;

/** How long answers took of late, whatever their size. */
export class LatencyOfLate {
  meanMs = 0;
  /** Most answers take less: about the 95th percentile, and never less than the mean. */
  longMs = 0;
  private percentileMs = 0;
  private answers = 0;

  add(latencyMs: number): void {
    this.answers += 1;
    this.meanMs += (latencyMs - this.meanMs) / Math.min(this.answers, OF_LATE);
    if (this.percentileMs === 0) this.percentileMs = latencyMs;
    // In balance when one in twenty is longer.
    this.percentileMs *= latencyMs > this.percentileMs ? 1.5 : 0.979;
    this.longMs = Math.max(this.meanMs, this.percentileMs);
  }
}

/** A run of slow answers that chance does not explain: the server lost capacity, and no error said so. */
export class SlowRun {
  readonly answers = new Window();
  /** How often answers are slow by chance. */
  private slowShare = 0.2;

  /** Takes in an answer; true when it completes a run. `level`: the slowdown that is expected. */
  add(latencyMs: number, usualMs: number, level: number, inFlight: number): boolean {
    const expectedMs = usualMs * level;
    const isSlow = latencyMs > SLOW * expectedMs && isWait(latencyMs, expectedMs, usualMs);
    this.slowShare += 0.01 * ((isSlow ? 1 : 0) - this.slowShare);
    if (!isSlow) {
      this.answers.clear();
      return false;
    }
    this.answers.add(latencyMs, usualMs, inFlight);
    const chance = Math.min(0.95, Math.max(0.1, this.slowShare));
    return this.answers.count >= Math.max(RUN_LEAST, Math.log(CHANCE) / Math.log(chance));
  }

  clear(): void {
    this.answers.clear();
  }
}
