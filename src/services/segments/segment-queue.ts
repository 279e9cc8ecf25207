import { priorityWeight, urgency } from '../../core/batch-weight.ts';
import type { ShareStep } from '../../core/fair-share.ts';
import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { OpenSegment } from './open-segment.ts';
import type { BatchInHand, Job, SegmentInHand } from './work.ts';

/** The limits of a key are asked for again after this. */
const BUDGET_FRESH_MS = 3_000;

export type QueueDeps = Pick<Deps, 'files' | 'clock' | 'limiter'>;

/** The open segments of one batch in one queue; within it the oldest segment goes first. */
export class BatchFlow {
  readonly batch: BatchInHand;
  readonly segments: OpenSegment[] = [];
  private readonly deps: QueueDeps;
  private readonly onReady: () => void;
  private offered: { segment: OpenSegment; job: Job } | null = null;
  /** Whether it has a line that it may not send now. */
  held = false;
  private budgetAskedAt = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(deps: QueueDeps, batch: BatchInHand, onReady: () => void) {
    this.deps = deps;
    this.batch = batch;
    this.onReady = onReady;
  }

  /** Tenant and batch: whom it shares with, and how. */
  get path(): ShareStep[] {
    const { row } = this.batch;
    return [{ key: row.tenantId }, { key: row.id, weight: () => this.weight }];
  }

  /** Among the batches of its tenant. */
  get weight(): number {
    const { row, sentLines } = this.batch;
    const sent = row.completed + row.failed + sentLines;
    return priorityWeight(row.priority) * urgency({ ...row, sent }, unixSeconds(this.deps.clock));
  }

  /** Those that its lines may go to first. */
  get models(): ReadonlySet<string> {
    const lanes = new Set(this.segments.map(({ lane }) => lane));
    return new Set(
      [...lanes].flatMap(({ candidates, shared }) =>
        candidates.slice(0, Math.max(1, shared)).map(({ model }) => model),
      ),
    );
  }

  /**
   * Estimated tokens of the line that it would send now; null when none is ready (onReady follows when one is).
   * `isPassedOver`: of which segments none is to be offered.
   */
  offer(isPassedOver?: (segment: SegmentInHand) => boolean): number | null {
    this.held = false;
    if (!this.batch.running) return null;
    this.offered = this.find(isPassedOver);
    if (this.offered === null) return null;
    const { job } = this.offered;
    // What ends, and what is committed, is reason to look again.
    if (!this.batch.maySpend(job)) return null;
    this.held = !this.mayUse(job.tokens);
    return this.held ? null : job.tokens;
  }

  /** The line that was offered last. */
  get next(): Job | null {
    return this.offered?.job ?? null;
  }

  /** Takes the line that was offered last. */
  take(): Job {
    if (this.offered === null) throw new Error('no line was offered');
    const { segment, job } = this.offered;
    this.offered = null;
    segment.take(job);
    this.prefetch(segment);
    this.batch.sentLines += 1;
    this.batch.allowance.outstanding += job.boundNano ?? 0;
    this.batch.budget?.spendLine(job.tokens, steadyMs(this.deps.clock));
    return job;
  }

  /** Lines that are leased here and not sent yet. */
  get undispatched(): number {
    let count = 0;
    for (const segment of this.segments) count += segment.undispatched;
    return count;
  }

  prefetch(segment: OpenSegment): void {
    if (!segment.wantsLoad) return;
    segment
      .load(this.deps)
      .then(() => this.onReady())
      .catch((error: unknown) => segment.batch.results.failLoading(segment, error));
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private find(isPassedOver?: (segment: SegmentInHand) => boolean): { segment: OpenSegment; job: Job } | null {
    let ungranted: OpenSegment | null = null;
    for (const segment of this.segments) {
      this.prefetch(segment);
      if (isPassedOver?.(segment) === true) {
        this.held = true;
        continue;
      }
      const job = segment.ready();
      if (job) return { segment, job };
      if (segment.closed || segment.undispatched === 0) continue;
      // Lines that may be sent and are being read come first.
      if (segment.cursor < segment.granted) return null;
      ungranted ??= segment;
    }
    if (ungranted !== null) {
      // Before its first grant there was nothing to outrun.
      if (this.segments.some(({ granted }) => granted > 0)) ungranted.window.starve();
      this.batch.results.wantGrant(ungranted);
    }
    return null;
  }

  /** Whether the batch's key may use so many tokens now; if not, the queue is looked at again when it may. */
  private mayUse(tokens: number): boolean {
    const { budget, row } = this.batch;
    if (budget === null) return true;
    const now = steadyMs(this.deps.clock);
    if (now - this.budgetAskedAt > BUDGET_FRESH_MS) {
      this.budgetAskedAt = now;
      void Promise.resolve(this.deps.limiter.budget(row.keyId)).catch(() => undefined);
    }
    const wait = budget.lineWaitMs(tokens, now);
    if (wait === 0) return true;
    this.timer ??= setTimeout(
      () => {
        this.timer = null;
        this.onReady();
      },
      // Limits may be raised meanwhile.
      Math.min(wait, BUDGET_FRESH_MS),
    );
    return false;
  }
}

/** The open segments of one queue, by batch. */
export class SegmentQueue {
  readonly key: string;
  readonly flows = new Map<string, BatchFlow>();
  private readonly deps: QueueDeps;
  private readonly onReady: () => void;
  private readonly onFlow: (flow: BatchFlow, change: 'opened' | 'closed') => void;

  constructor(
    key: string,
    deps: QueueDeps,
    hooks: { onReady(): void; onFlow(flow: BatchFlow, change: 'opened' | 'closed'): void },
  ) {
    this.key = key;
    this.deps = deps;
    this.onReady = hooks.onReady;
    this.onFlow = hooks.onFlow;
  }

  add(segment: OpenSegment): void {
    const { id } = segment.batch.row;
    let flow = this.flows.get(id);
    if (!flow) {
      flow = new BatchFlow(this.deps, segment.batch, this.onReady);
      this.flows.set(id, flow);
      this.onFlow(flow, 'opened');
    }
    flow.segments.push(segment);
    flow.prefetch(segment);
  }

  remove(segment: OpenSegment): void {
    const flow = this.flows.get(segment.batch.row.id);
    const at = flow?.segments.indexOf(segment) ?? -1;
    if (!flow || at < 0) return;
    flow.segments.splice(at, 1);
    if (flow.segments.length > 0) return;
    this.flows.delete(segment.batch.row.id);
    flow.close();
    this.onFlow(flow, 'closed');
  }

  /** Lines that are leased here and not sent yet. */
  get undispatched(): number {
    let count = 0;
    for (const flow of this.flows.values()) count += flow.undispatched;
    return count;
  }

  get segments(): number {
    let count = 0;
    for (const flow of this.flows.values()) count += flow.segments.length;
    return count;
  }
}
