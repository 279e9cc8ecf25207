import { maySpend } from '../../core/budget-allowance.ts';
import type { KeyBudget } from '../../core/key-budget.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchControl, BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { upperBound } from '../budgets/upper-bound.ts';
import { Collector } from './collector.ts';
import type { OpenSegment } from './open-segment.ts';
import type { BatchInHand, Job } from './work.ts';

/** A batch of which this process holds segments. */
export class OpenBatch implements BatchInHand {
  readonly row: BatchRow;
  readonly input: FileRow;
  readonly results: Collector;
  readonly budget: KeyBudget | null;
  sentLines = 0;
  outstandingNano = 0;
  readonly segments = new Set<OpenSegment>();
  readonly abort = new AbortController();
  private readonly deps: Deps;
  private control: BatchControl;
  private graceTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    deps: Deps,
    { row, input, budget }: Pick<BatchInHand, 'row' | 'input' | 'budget'>,
    partName: () => string,
    onCommitted: () => void,
  ) {
    this.deps = deps;
    this.row = row;
    this.input = input;
    this.budget = budget;
    this.control = { status: row.status, stop: row.stop, paused: row.pausedAt !== null, leftNano: null };
    this.results = new Collector(deps, this, partName, onCommitted);
  }

  get running(): boolean {
    return this.control.status === 'in_progress' && this.control.stop === null && !this.control.paused;
  }

  get remaining(): number {
    let count = 0;
    for (const segment of this.segments) count += segment.remaining;
    return count;
  }

  maySpend(job: Job): boolean {
    const left = this.control.leftNano ?? null;
    if (left === null) return true;
    job.boundNano ??= upperBound(this.deps, job.candidates, job, unixSeconds(this.deps.clock));
    const underWay = { uncommitted: this.results.uncommittedNano, outstanding: this.outstandingNano };
    return maySpend({ left, ...underWay }, job.boundNano);
  }

  /** Takes in what the store says of the batch; a stop starts the grace period of what is in flight. */
  apply(control: BatchControl, drainMs: number): void {
    // What its budgets leave it only commits tell.
    this.control = { leftNano: this.control.leftNano ?? null, ...control };
    // Lines that were withdrawn or given up meanwhile run under the next lease, even if the batch goes on at once.
    if (!this.running) for (const segment of this.segments) segment.closed = true;
    const stopped = control.stop !== null || control.status !== 'in_progress';
    if (stopped && this.graceTimer === null) {
      this.graceTimer = setTimeout(() => this.abort.abort(), drainMs);
      this.graceTimer.unref?.();
    }
  }

  close(): void {
    if (this.graceTimer !== null) clearTimeout(this.graceTimer);
    this.graceTimer = null;
  }
}
