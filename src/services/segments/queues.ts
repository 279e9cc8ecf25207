import type { RunLane } from '../../core/lane.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LineFeed } from './line-feed.ts';
import type { OpenSegment } from './open-segment.ts';
import { SegmentQueue } from './segment-queue.ts';

/** A queue is full when this many times its gates' concurrency is leased and unsent. */
const QUEUE_AHEAD = 2;

/** The queues of open segments, and which providers' feeds take lines from them. */
export class Queues {
  private readonly deps: Deps;
  private readonly feeds: ReadonlyMap<string, LineFeed>;
  /** Takes the lines of a queue that no feed serves. */
  private readonly passOn: (queue: SegmentQueue) => void;
  private readonly queues = new Map<string, SegmentQueue>();
  private readonly unserved: SegmentQueue[] = [];

  constructor(deps: Deps, feeds: ReadonlyMap<string, LineFeed>, passOn: (queue: SegmentQueue) => void) {
    this.deps = deps;
    this.feeds = feeds;
    this.passOn = passOn;
  }

  add(segment: OpenSegment): void {
    const { queue: key } = segment.lease;
    const queue = this.queues.get(key) ?? this.open(key, segment.lane);
    queue.add(segment);
  }

  remove(segment: OpenSegment): void {
    this.queues.get(segment.lease.queue)?.remove(segment);
  }

  /** Keys of the queues that need no more segments now. */
  full(): string[] {
    return [...this.queues.values()].filter((queue) => this.isFull(queue)).map((queue) => queue.key);
  }

  /** Requests that may be in flight at once from a lane's first queue. */
  slots(lane: RunLane): number {
    return lane.candidates
      .slice(0, lane.shared)
      .reduce((sum, { provider }) => sum + (this.feeds.get(provider)?.gate.limit ?? 0), 0);
  }

  /** Starts what may start, at every gate. */
  pump(): void {
    for (const feed of this.feeds.values()) feed.gate.pump();
    for (const queue of this.unserved) this.passOn(queue);
  }

  private open(key: string, { candidates, shared }: RunLane): SegmentQueue {
    const queue = new SegmentQueue(key, this.deps, () => this.pump());
    this.queues.set(key, queue);
    const sharing = candidates.slice(0, shared);
    const heaviest = Math.max(...sharing.map(({ weight }) => weight));
    const widest = Math.max(
      ...sharing
        .filter(({ weight }) => weight === heaviest)
        .map(({ provider }) => this.feeds.get(provider)?.gate.limit ?? 1),
    );
    let served = false;
    for (const { provider, weight } of sharing) {
      const feed = this.feeds.get(provider);
      // A share of the heaviest target's slots, in proportion to weight; alone in its queue, all of them.
      const cap = shared < 2 ? Number.POSITIVE_INFINITY : Math.max(1, Math.round((widest * weight) / heaviest));
      feed?.sources.push({ queue, cap, inFlight: 0 });
      served ||= feed !== undefined;
    }
    // No provider of this name takes single requests (any more): its lines go on to their next target, or fail.
    if (!served) this.unserved.push(queue);
    return queue;
  }

  private isFull(queue: SegmentQueue): boolean {
    let slots = 0;
    for (const feed of this.feeds.values()) {
      if (feed.sources.some((source) => source.queue === queue)) slots += feed.gate.limit;
    }
    return queue.undispatched >= Math.max(1, slots) * QUEUE_AHEAD;
  }
}
