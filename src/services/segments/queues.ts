import type { RunLane } from '../../core/lane.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Gate } from '../../ports/gates.ts';
import type { ClaimDemand } from '../../ports/store-segments.ts';
import type { LineFeed } from './line-feed.ts';
import type { OpenSegment } from './open-segment.ts';
import { type BatchFlow, SegmentQueue } from './segment-queue.ts';

/** A queue has lines enough when so many times its gates' concurrency is leased and unsent. */
const QUEUE_AHEAD = 2;
/** Segments may be few lines each: a queue that lacks lines may open so many times its share of the segments. */
const SMALL_SEGMENTS = 4;

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

  /**
   * What more segments are wanted of. Each queue has a share of the open segments, so that a slow one takes none of a
   * fast one's. One with lines enough takes only batches that it has no lines of, which then share with the others at
   * once; one with its share of segments, only tenants that it has no lines of; one with twice that, nothing.
   */
  demand(): ClaimDemand {
    const open = [...this.queues.values()].filter((queue) => queue.flows.size > 0);
    const share = Math.max(1, Math.floor(this.deps.settings.maxOpenSegments / Math.max(1, open.length)));
    const exclude: string[] = [];
    const newcomers: string[] = [];
    const held: NonNullable<ClaimDemand['held']>[number][] = [];
    for (const queue of open) {
      const { segments } = queue;
      const isFull = this.isFull(queue);
      if (segments >= share * (isFull ? 2 : SMALL_SEGMENTS)) exclude.push(queue.key);
      else if (isFull) {
        newcomers.push(queue.key);
        for (const flow of queue.flows.values()) {
          const { id, tenantId } = flow.batch.row;
          if (segments >= share) held.push({ queue: queue.key, tenantId });
          else if (flow.undispatched > 0) held.push({ queue: queue.key, batchId: id });
        }
      }
    }
    return { exclude, newcomers, held };
  }

  /** Requests that may be in flight at once from a lane's first queue, as its servers are now. */
  slots(lane: RunLane): number {
    return this.feedsOf(lane).reduce((sum, { gate }) => sum + gate.room, 0);
  }

  /** Starts what may start, at every gate. */
  pump(): void {
    for (const feed of this.feeds.values()) feed.gate.pump();
    for (const queue of this.unserved) this.passOn(queue);
  }

  private open(key: string, lane: RunLane): SegmentQueue {
    const sharing = lane.candidates.slice(0, lane.shared);
    const feeds = this.feedsOf(lane);
    const queue = new SegmentQueue(key, this.deps, {
      onReady: () => this.pump(),
      onFlow: (flow: BatchFlow, change) => {
        for (const feed of feeds) feed.changeFlow(key, flow, change);
      },
    });
    this.queues.set(key, queue);
    const heaviest = Math.max(...sharing.map(({ weight }) => weight));
    const heaviestGates = sharing.flatMap(({ provider, weight }) =>
      weight === heaviest ? (this.feeds.get(provider)?.gate ?? []) : [],
    );
    const widest = (): number => heaviestGates.reduce((most, { limit }) => Math.max(most, limit), 1);
    for (const [index, target] of sharing.entries()) {
      const { provider, weight } = target;
      const feed = this.feeds.get(provider);
      const there = sharing.reduce((sum, each) => sum + (each.provider === provider ? each.weight : 0), 0);
      // A share of the heaviest target's slots, in proportion to weight, and of its provider's own where others are there,
      // too; alone in its queue, all of them.
      const shareOf = (slots: number, all: number): number => Math.round((slots * weight) / all);
      const cap =
        lane.shared < 2
          ? () => Number.POSITIVE_INFINITY
          : () => Math.max(1, Math.min(shareOf(widest(), heaviest), shareOf(feed?.gate.limit ?? 0, there)));
      feed?.addSource(key, cap, target, index);
    }
    // No provider of this name takes single requests (any more): its lines go on to their next target, or fail.
    if (feeds.length === 0) this.unserved.push(queue);
    return queue;
  }

  /** Of the providers whose targets share a lane's first queue. */
  private feedsOf(lane: RunLane): LineFeed[] {
    const names = new Set(lane.candidates.slice(0, lane.shared).map(({ provider }) => provider));
    return [...names].flatMap((name) => this.feeds.get(name) ?? []);
  }

  private isFull(queue: SegmentQueue): boolean {
    let slots = 0;
    for (const feed of this.feeds.values()) if (feed.hasSource(queue.key)) slots += this.most(feed.gate);
    return queue.undispatched >= Math.max(1, slots) * QUEUE_AHEAD;
  }

  /** The most that may ever be in flight at a gate, whatever its limit is now. */
  private most({ limit, provider }: Gate): number {
    return Math.max(limit, provider.limits.concurrency ?? this.deps.settings.defaultConcurrency);
  }
}
