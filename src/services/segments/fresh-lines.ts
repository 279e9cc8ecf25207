import { FairShare } from '../../core/fair-share.ts';
import type { Candidate } from '../../core/lane.ts';
import { nextOf, startingAt, targetOf } from './candidates.ts';
import { ModelParts, modelOf } from './model-parts.ts';
import type { BatchFlow } from './segment-queue.ts';
import type { Job, SegmentInHand } from './work.ts';

/** Where lines come from; a shared queue is the source of several feeds, each with a cap of its own. */
interface Source {
  /** Place of the target among those that share the queue. */
  readonly index: number;
  readonly weight: number;
  /** Requests of the queue that may be in flight from here. */
  readonly cap: () => number;
  readonly target: Candidate;
  inFlight: number;
}

interface SourceFlow {
  source: Source;
  flow: BatchFlow;
}

/** The lines of one provider that were never sent: whose turn it is, and how many of a shared queue are in flight from here. */
export class FreshLines {
  private readonly isHeld: (flow: BatchFlow, target: Candidate) => boolean;
  /** By queue: one for each of its targets here. */
  private readonly sources = new Map<string, Source[]>();
  /** Batches with lines for this provider share it, whatever queues their lines stand in. */
  private readonly share = new FairShare<SourceFlow>(({ source, flow }) => {
    if (source.inFlight >= source.cap() || this.isHeld(flow, source.target)) return Number.POSITIVE_INFINITY;
    return flow.offer(this.passedOver(source)) ?? (flow.held ? Number.POSITIVE_INFINITY : null);
  });
  private readonly flows = new Map<BatchFlow, SourceFlow[]>();
  readonly parts = new ModelParts(() => this.flows.keys());
  /** Whether models that have their part go without their turn. */
  private byParts = false;

  /** `isHeld`: whether a batch's lines may not go to a target now. */
  constructor(isHeld: (flow: BatchFlow, target: Candidate) => boolean) {
    this.isHeld = isHeld;
  }

  /** `index`: the target's place among those that share the queue. */
  addSource(key: string, cap: () => number, target: Candidate, index: number): void {
    const source = { index, weight: target.weight, cap, target, inFlight: 0 };
    this.sources.set(key, [...(this.sources.get(key) ?? []), source]);
  }

  hasSource(key: string): boolean {
    return this.sources.has(key);
  }

  /** Takes a batch's lines in a queue into account, or no longer. */
  changeFlow(key: string, flow: BatchFlow, change: 'opened' | 'closed'): void {
    this.parts.change();
    if (change === 'closed') {
      for (const item of this.flows.get(flow) ?? []) this.share.remove(item);
      this.flows.delete(flow);
      return;
    }
    const items = (this.sources.get(key) ?? []).map((source) => ({ source, flow }));
    this.flows.set(flow, items);
    for (const item of items) {
      const { index, weight } = item.source;
      this.share.add([...flow.path, { key }, { key: String(index), weight: () => weight }], item);
    }
  }

  /** Takes the line whose turn it is; undefined when none may go. `byParts`: none of a model that has its part. */
  take(byParts = false): Job | undefined {
    this.byParts = byParts;
    const item = this.share.next();
    const job = item?.flow.take();
    if (item && job) job.candidates = startingAt(item.source, job);
    return job;
  }

  /** Takes lines that may go elsewhere, of the batches and targets that `isClosed` names: `max` of them all at most. */
  takeLeaving(isClosed: (flow: BatchFlow, target: Candidate) => boolean, max: number): Job[] {
    const leaving: Job[] = [];
    for (const { source, flow } of [...this.flows.values()].flat()) {
      if (!isClosed(flow, source.target)) continue;
      while (leaving.length < max && flow.offer() !== null) {
        const job = flow.next;
        if (job === null) break;
        job.candidates = startingAt(source, job);
        if (nextOf(job) === null) break;
        leaving.push(flow.take());
      }
    }
    return leaving;
  }

  /** Whether one more line of its model would be beyond that one's part. */
  isFull(job: Job): boolean {
    return this.parts.isFull(targetOf(job)?.model ?? '');
  }

  /**
   * Lines count for their model. Those of a shared queue count against their target's share of it, too, as long as they are
   * where they began.
   */
  count(job: Job, change: 1 | -1): void {
    this.parts.count(targetOf(job)?.model ?? '', change);
    const { lane, lease } = job.segment;
    if (lane.shared < 2 || job.progress.candidate > 0) return;
    const [first] = job.candidates;
    const own = this.sources.get(lease.queue)?.find(({ index }) => lane.candidates[index] === first);
    if (own) own.inFlight += change;
  }
  /** Which segments' lines are not offered to a target in their turn. */
  private passedOver({ index }: Source): ((segment: SegmentInHand) => boolean) | undefined {
    if (!this.byParts) return undefined;
    return (segment) => this.parts.isFull(modelOf(segment, index));
  }
}
