import { laneFrom, queueOf, type RunLane } from '../../core/lane.ts';
import type { SegmentRow, StoreSegments } from '../../ports/store-segments.ts';

const INSERT_ROWS = 1_000;

/** Cuts the lines of each lane, as they come in file order, into segments of bounded size, and stores them. */
export class Segmenter {
  /** Segments made so far. */
  count = 0;
  private readonly batch: { id: string; tenantId: string };
  private readonly store: Pick<StoreSegments, 'insertMany'>;
  private readonly limits: { lines: number; bytes: number };
  private readonly open = new Map<number, SegmentRow & { bytes: number }>();
  private ready: SegmentRow[] = [];

  constructor(
    store: Pick<StoreSegments, 'insertMany'>,
    batch: { id: string; tenantId: string },
    limits: { lines: number; bytes: number },
  ) {
    this.store = store;
    this.batch = batch;
    this.limits = limits;
  }

  /** Adds 0-based `line` of `bytes` bytes to the segment that is open for its lane. */
  add(laneNumber: number, lane: RunLane, candidate: number, line: number, bytes: number): void {
    let segment = this.open.get(laneNumber);
    if (segment && (segment.lines >= this.limits.lines || segment.bytes + bytes > this.limits.bytes)) {
      this.closeSegment(laneNumber, segment);
      segment = undefined;
    }
    if (!segment) {
      segment = {
        id: `${this.batch.id}-${laneNumber}-${line}`,
        batchId: this.batch.id,
        tenantId: this.batch.tenantId,
        lane: laneNumber,
        queue: queueOf(laneFrom(lane, candidate)),
        candidate,
        firstLine: line,
        lastLine: line,
        lines: 0,
        bytes: 0,
      };
      this.open.set(laneNumber, segment);
    }
    segment.lastLine = line;
    segment.lines += 1;
    segment.bytes += bytes;
  }

  /** Takes a segment that was cut elsewhere. */
  addWhole(row: SegmentRow): void {
    this.ready.push(row);
    this.count += 1;
  }

  /** Stores what is complete when it is worth a write. */
  async flush(): Promise<void> {
    if (this.ready.length < INSERT_ROWS) return;
    await this.store.insertMany(this.ready);
    this.ready = [];
  }

  /** Stores the rest. */
  async end(): Promise<void> {
    for (const [lane, segment] of this.open) this.closeSegment(lane, segment);
    if (this.ready.length > 0) await this.store.insertMany(this.ready);
    this.ready = [];
  }

  private closeSegment(lane: number, { bytes: _, ...row }: SegmentRow & { bytes: number }): void {
    this.open.delete(lane);
    this.ready.push(row);
    this.count += 1;
  }
}
