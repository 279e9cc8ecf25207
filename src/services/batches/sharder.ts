import type { BatchLimits } from '../../../providers/contract.ts';
import type { RunLane } from '../../core/lane.ts';
import type { SegmentRow } from '../../ports/store-segments.ts';
import type { ShardRow, StoreShards } from '../../ports/store-shards.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import { newShard } from '../shards/follow-up.ts';

const INSERT_ROWS = 500;
/** Where a provider names no bound: large enough to be one batch for most files, small enough to be read in minutes. */
const SHARD_LINES_MAX = 50_000;
const SHARD_BYTES_MAX = 200_000_000;
/** A provider's form of a request is longer than the client's: identifiers, wrappers. */
const BYTES_SHARE = 0.8;
const BYTES_PER_TOKEN = 4;

export interface ShardTarget {
  lane: number;
  run: RunLane;
  candidate: number;
  endpoint: Endpoint;
  limits: BatchLimits;
}

/** Cuts the lines of lanes that go to provider batches, as they come in file order, within the providers' limits. */
export class Sharder {
  /** Shards made so far. */
  count = 0;
  private readonly store: Pick<StoreShards, 'insertMany'>;
  private readonly batch: { id: string; tenantId: string };
  private readonly now: number;
  /** Takes a shard that is too small for its provider; false when nobody does, so that it stays one, and fails by that name. */
  private readonly tooSmall: (target: ShardTarget, row: ShardRow) => boolean;
  private readonly open = new Map<number, { target: ShardTarget; row: ShardRow }>();
  private ready: ShardRow[] = [];

  constructor(
    store: Pick<StoreShards, 'insertMany'>,
    batch: { id: string; tenantId: string },
    now: number,
    tooSmall: (target: ShardTarget, row: ShardRow) => boolean,
  ) {
    this.store = store;
    this.batch = batch;
    this.now = now;
    this.tooSmall = tooSmall;
  }

  /** Adds 0-based `line` of `bytes` bytes to the shard that is open for its lane. */
  add(target: ShardTarget, line: number, bytes: number): void {
    const tokens = Math.ceil(bytes / BYTES_PER_TOKEN);
    const current = this.open.get(target.lane);
    if (current && isFull(current.row, target.limits, bytes, tokens)) this.close(target.lane);
    const row = this.open.get(target.lane)?.row ?? this.begin(target, line);
    row.lastLine = line;
    row.lines += 1;
    row.bytes += bytes;
    row.tokens += tokens;
  }

  /** Stores what is complete when it is worth a write. */
  async flush(): Promise<void> {
    if (this.ready.length < INSERT_ROWS) return;
    await this.store.insertMany(this.ready);
    this.ready = [];
  }

  /** Stores the rest. */
  async end(): Promise<void> {
    for (const lane of [...this.open.keys()]) this.close(lane);
    if (this.ready.length > 0) await this.store.insertMany(this.ready);
    this.ready = [];
  }

  private begin(target: ShardTarget, line: number): ShardRow {
    const candidate = target.run.candidates[target.candidate];
    const row = newShard({
      id: `${this.batch.id}-s${target.lane}-${line}`,
      batchId: this.batch.id,
      tenantId: this.batch.tenantId,
      lane: target.lane,
      candidate: target.candidate,
      provider: candidate?.provider ?? '',
      model: candidate?.model ?? '',
      endpoint: target.endpoint,
      firstLine: line,
      lastLine: line,
      lines: 0,
      bytes: 0,
      tokens: 0,
      createdAt: this.now,
    });
    this.open.set(target.lane, { target, row });
    return row;
  }

  private close(lane: number): void {
    const current = this.open.get(lane);
    if (!current) return;
    this.open.delete(lane);
    const { target, row } = current;
    const { linesMin } = target.limits;
    if (linesMin !== null && row.lines < linesMin && this.tooSmall(target, row)) return;
    this.ready.push(row);
    this.count += 1;
  }
}

function isFull(row: ShardRow, limits: BatchLimits, bytes: number, tokens: number): boolean {
  return (
    row.lines >= (limits.lines ?? SHARD_LINES_MAX) ||
    row.bytes + bytes > (limits.bytes ?? SHARD_BYTES_MAX) * BYTES_SHARE ||
    (limits.enqueuedTokens !== null && row.tokens + tokens > limits.enqueuedTokens)
  );
}

/** The lines of a shard as a segment that starts at `candidate`: what single requests can do for them. */
export function asSegment(row: ShardRow, candidate: number, queue: string): SegmentRow {
  return {
    id: `${row.id}-i${candidate}`,
    batchId: row.batchId,
    tenantId: row.tenantId,
    lane: row.lane,
    candidate,
    queue,
    firstLine: row.firstLine,
    lastLine: row.lastLine,
    lines: row.lines,
  };
}
