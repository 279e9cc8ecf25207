import type { Deps } from '../../ports/deps.ts';
import type { OpenSegment } from './open-segment.ts';
import type { BatchInHand, Job } from './work.ts';

/** The open segments of one queue. Batches take turns line by line; within a batch the oldest segment goes first. */
export class SegmentQueue {
  readonly key: string;
  private readonly deps: Deps;
  private readonly onReady: () => void;
  private readonly turns: { batch: BatchInHand; segments: OpenSegment[] }[] = [];

  constructor(key: string, deps: Deps, onReady: () => void) {
    this.key = key;
    this.deps = deps;
    this.onReady = onReady;
  }

  add(segment: OpenSegment): void {
    const turn = this.turns.find((candidate) => candidate.batch === segment.batch);
    if (turn) turn.segments.push(segment);
    else this.turns.push({ batch: segment.batch, segments: [segment] });
    this.prefetch(segment);
  }

  remove(segment: OpenSegment): void {
    const at = this.turns.findIndex((turn) => turn.batch === segment.batch);
    const turn = this.turns[at];
    if (!turn) return;
    turn.segments = turn.segments.filter((candidate) => candidate !== segment);
    if (turn.segments.length === 0) this.turns.splice(at, 1);
  }

  /** The next job that may be sent now; undefined when none is ready (onReady follows when one becomes so). */
  next(): Job | undefined {
    for (let count = this.turns.length; count > 0; count--) {
      const turn = this.turns.shift();
      if (!turn) return undefined;
      this.turns.push(turn);
      if (!turn.batch.running) continue;
      for (const segment of turn.segments) {
        const job = segment.take();
        this.prefetch(segment);
        if (job) return job;
        if (segment.cursor >= segment.granted && segment.undispatched > 0) turn.batch.results.requestGrant(segment);
      }
    }
    return undefined;
  }

  /** Lines that are leased here and not sent yet. */
  get undispatched(): number {
    let count = 0;
    for (const turn of this.turns) for (const segment of turn.segments) count += segment.undispatched;
    return count;
  }

  private prefetch(segment: OpenSegment): void {
    if (!segment.wantsLoad) return;
    segment
      .load(this.deps)
      .then(() => this.onReady())
      .catch((error: unknown) => segment.batch.results.failLoading(segment, error));
  }
}
