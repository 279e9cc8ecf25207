import { Allowance } from '../../core/budget-allowance.ts';
import type { KeyBudget } from '../../core/key-budget.ts';
import type { BatchControl } from '../../ports/batch-control.ts';
import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { InputWatch } from '../batches/input-lost.ts';
import { upperBound } from '../budgets/upper-bound.ts';
import { Collector } from './collector.ts';
import type { OpenSegment } from './open-segment.ts';
import type { BatchInHand, Job } from './work.ts';

type OpenedBy = Pick<BatchInHand, 'row' | 'input' | 'budget'> & {
  /** Who takes allowances. */
  taker: string;
  /** Told when its input cannot be read. */
  watch?: InputWatch;
};

/** A batch of which this process holds segments. */
export class OpenBatch implements BatchInHand {
  readonly row: BatchRow;
  readonly input: FileRow;
  readonly results: Collector;
  readonly budget: KeyBudget | null;
  sentLines = 0;
  readonly allowance: Allowance;
  readonly segments = new Set<OpenSegment>();
  readonly abort = new AbortController();
  private readonly deps: Deps;
  private readonly watch: InputWatch | null;
  private control: BatchControl;
  private graceTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    deps: Deps,
    { row, input, budget, taker, watch }: OpenedBy,
    partName: () => string,
    onCommitted: () => void,
  ) {
    this.deps = deps;
    this.row = row;
    this.input = input;
    this.budget = budget;
    this.watch = watch ?? null;
    this.allowance = new Allowance(taker);
    this.control = { status: row.status, stop: row.stop, paused: row.pausedAt !== null };
    this.results = new Collector(deps, this, partName, onCommitted);
  }

  get running(): boolean {
    return this.control.status === 'in_progress' && this.control.stop === null && !this.control.paused;
  }

  get stopped(): boolean {
    return this.control.stop !== null || this.control.status !== 'in_progress';
  }

  get remaining(): number {
    let count = 0;
    for (const segment of this.segments) count += segment.remaining;
    return count;
  }

  noteUnreadable(error: unknown): void {
    void this.watch?.note(this.row.id, error);
  }

  maySpend(job: Job): boolean {
    if (!this.allowance.bounded) return true;
    job.boundNano ??= upperBound(this.deps, job.candidates, job, unixSeconds(this.deps.clock));
    return this.allowance.maySpend(job.boundNano, steadyMs(this.deps.clock));
  }

  /** Asks its budgets for more. */
  draw(): void {
    const [segment] = this.segments;
    if (segment && this.running) this.results.requestAllowance(segment);
  }

  /** Whether it has lines here that were not sent yet. */
  get undispatched(): boolean {
    return this.running && [...this.segments].some((segment) => !segment.closed && segment.undispatched > 0);
  }

  /** Takes in what the store says of the batch; a stop starts the grace period of what is in flight. */
  apply(control: BatchControl, drainMs: number): void {
    this.control = control;
    if (control.allowanceNano !== undefined) this.allowance.grant(control.allowanceNano);
    // Lines that were withdrawn or given up meanwhile run under the next lease, even if the batch goes on at once.
    if (!this.running) for (const segment of this.segments) segment.closed = true;
    if (this.stopped && this.graceTimer === null) {
      this.graceTimer = setTimeout(() => this.abort.abort(), drainMs);
      this.graceTimer.unref?.();
    }
  }

  close(): void {
    this.deps.inFlight?.takeBusy(this.row.id);
    if (this.graceTimer !== null) clearTimeout(this.graceTimer);
    this.graceTimer = null;
  }
}
