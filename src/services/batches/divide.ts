import { refusal } from '../../core/failure.ts';
import type { RunLane } from '../../core/lane.ts';
import { type Lane, laneFrom, queueOf } from '../../core/lane.ts';
import type { PlanSummary } from '../../core/plan.ts';
import { isRequest, readPlanRecord } from '../../core/plan.ts';
import type { LaneAssigner } from '../../core/routing.ts';
import { modeOf } from '../../core/shard-plan.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileStore, FileWriter } from '../../ports/files.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { StoreSegments } from '../../ports/store-segments.ts';
import type { ShardRow, StoreShards } from '../../ports/store-shards.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import { windowOf } from '../shards/follow-up.ts';
import { planWindows, WINDOW_LINES } from './read-plan.ts';
import { Segmenter } from './segmenter.ts';
import { asSegment, Sharder, type ShardTarget } from './sharder.ts';

/** Where the lines of a lane go at first. */
type Work =
  | { kind: 'segments'; lane: RunLane; candidate: number }
  | { kind: 'shards'; target: ShardTarget }
  | { kind: 'refused' };

/** A batch, as far as its division goes. */
export type DividedBatch = Pick<BatchRow, 'id' | 'tenantId' | 'endpoint' | 'completionWindow'>;

/** What a division reads, and where it puts what it makes: an estimate keeps that to itself. */
export type DivideDeps = Pick<Deps, 'providers' | 'settings' | 'clock'> & {
  files: Pick<FileStore, 'create' | 'put' | 'readRange'>;
  store: { segments: Pick<StoreSegments, 'insertMany'>; shards: Pick<StoreShards, 'insertMany'> };
};

export function lanesKey(batch: Pick<BatchRow, 'id'>): string {
  return `batches/${batch.id}/lanes`;
}

/**
 * Gives every line its lane, writes the lane file, and cuts each lane into segments (single requests) or shards
 * (provider batches). Lines of different endpoints never share a lane: a provider batch has one endpoint.
 */
export async function divide(
  deps: DivideDeps,
  batch: DividedBatch,
  input: FileRow,
  plan: PlanSummary,
  assigner: LaneAssigner,
): Promise<{ refused: number; segments: number; lanes: Lane[] }> {
  const division = new Division(deps, batch, assigner);
  const lanes = new LaneFile(deps.files, lanesKey(batch), plan.lines <= WINDOW_LINES);
  try {
    for await (const { first, count, view } of planWindows(deps, input, plan.lines)) {
      const numbers = new DataView(new ArrayBuffer(count * 2));
      for (let index = 0; index < count; index++) {
        if (!isRequest(view, index)) continue;
        const record = readPlanRecord(view, index);
        const model = plan.models[record.model]?.name ?? '';
        const endpoint = plan.endpoints[record.endpoint]?.endpoint ?? batch.endpoint;
        const body = assigner.needsBody(model)
          ? parseRequestLine(await deps.files.readRange(input.contentKey, record)).body
          : undefined;
        const assigned = assigner.assign({ model, endpoint, bytes: record.length, body });
        numbers.setUint16(index * 2, division.add(assigned, endpoint, first + index, record.length), true);
      }
      await lanes.write(new Uint8Array(numbers.buffer));
      await division.flush();
    }
    await division.end();
    await lanes.close();
  } catch (error) {
    await lanes.abort();
    throw error;
  }
  return { refused: division.refused, segments: division.count, lanes: division.lanes };
}

/** The file that says which lane each line is in; of few lines it is put down at once. */
class LaneFile {
  private readonly files: DivideDeps['files'];
  private readonly key: string;
  private readonly isSmall: boolean;
  private small: Uint8Array = new Uint8Array(0);
  private writer: FileWriter | null = null;

  constructor(files: DivideDeps['files'], key: string, isSmall: boolean) {
    this.files = files;
    this.key = key;
    this.isSmall = isSmall;
  }

  /** Takes the numbers of more lines; of a small file they are all of them. */
  async write(numbers: Uint8Array): Promise<void> {
    if (this.isSmall) {
      this.small = numbers;
      return;
    }
    this.writer ??= await this.files.create(this.key);
    await this.writer.write(numbers);
  }

  async close(): Promise<void> {
    await (this.writer === null ? this.files.put(this.key, this.small) : this.writer.close());
  }

  async abort(): Promise<void> {
    await this.writer?.abort();
  }
}

class Division {
  readonly lanes: Lane[] = [];
  refused = 0;
  private readonly deps: DivideDeps;
  private readonly batch: DividedBatch;
  private readonly assigner: LaneAssigner;
  private readonly numbers = new Map<string, number>();
  /** Lines of one lane mostly follow each other. */
  private last: { assigned: number; endpoint: Endpoint | null; number: number } = {
    assigned: -1,
    endpoint: null,
    number: -1,
  };
  private readonly works: Work[] = [];
  private readonly segmenter: Segmenter;
  private readonly sharder: Sharder;

  constructor(deps: DivideDeps, batch: DividedBatch, assigner: LaneAssigner) {
    this.deps = deps;
    this.batch = batch;
    this.assigner = assigner;
    const limits = { lines: deps.settings.segmentLines, bytes: deps.settings.segmentBytes };
    this.segmenter = new Segmenter(deps.store.segments, batch, limits);
    const now = unixSeconds(deps.clock);
    this.sharder = new Sharder(deps.store.shards, batch, now, (target, row) => this.sendSingly(target, row));
  }

  /** Segments and shards made so far. */
  get count(): number {
    return this.segmenter.count + this.sharder.count;
  }

  /** Adds a line to its lane; answers the lane's number in the batch. */
  add(assigned: number, endpoint: Endpoint, line: number, bytes: number): number {
    const number = this.laneNumber(assigned, endpoint);
    const work = this.works[number];
    if (work?.kind === 'segments') this.segmenter.add(number, work.lane, work.candidate, line, bytes);
    else if (work?.kind === 'shards') this.sharder.add(work.target, line, bytes);
    else this.refused += 1;
    return number;
  }

  async flush(): Promise<void> {
    await this.segmenter.flush();
    await this.sharder.flush();
  }

  async end(): Promise<void> {
    await this.sharder.end();
    await this.segmenter.end();
  }

  private laneNumber(assigned: number, endpoint: Endpoint): number {
    if (this.last.assigned === assigned && this.last.endpoint === endpoint) return this.last.number;
    const number = this.numberOf(assigned, endpoint);
    this.last = { assigned, endpoint, number };
    return number;
  }

  private numberOf(assigned: number, endpoint: Endpoint): number {
    const key = `${assigned} ${endpoint}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const lane = this.assigner.lanes[assigned];
    if (!lane) throw new Error(`there is no lane ${assigned}`);
    const number = this.lanes.push(lane) - 1;
    this.numbers.set(key, number);
    this.works[number] = this.workOf(number, lane, endpoint);
    if (this.works[number].kind === 'refused' && lane.kind === 'run')
      this.lanes[number] = { kind: 'refuse', failure: noMode(lane) };
    return number;
  }

  private workOf(number: number, lane: Lane, endpoint: Endpoint): Work {
    if (lane.kind === 'refuse') return { kind: 'refused' };
    // Targets that pull from one queue share single requests: a provider batch takes all its lines at once.
    if (lane.shared > 1) return { kind: 'segments', lane, candidate: 0 };
    for (const [candidate, target] of lane.candidates.entries()) {
      const provider = this.deps.providers.get(target.provider);
      const can = { batch: provider?.batch !== undefined, immediate: provider?.immediate !== undefined };
      const mode = modeOf(target, can, windowOf(this.deps, this.batch));
      if (mode === 'immediate') return { kind: 'segments', lane, candidate };
      if (mode === 'batch' && provider?.batch) {
        return {
          kind: 'shards',
          target: { lane: number, run: lane, candidate, endpoint, limits: provider.batch.limits },
        };
      }
    }
    return { kind: 'refused' };
  }

  /** Too few lines for a provider batch; they are never padded, but sent one by one where some target takes them so. */
  private sendSingly(target: ShardTarget, row: ShardRow): boolean {
    const candidate = target.run.candidates.findIndex(
      ({ provider, mode }, index) =>
        index >= target.candidate && mode !== 'batch' && this.deps.providers.get(provider)?.immediate !== undefined,
    );
    if (candidate < 0) return false;
    const queue = queueOf({ ...laneFrom(target.run, candidate), shared: 1 });
    this.segmenter.addWhole(asSegment(row, candidate, queue));
    return true;
  }
}

function noMode(lane: RunLane) {
  const names = lane.candidates.map(({ provider }) => `'${provider}'`).join(', ');
  return refusal(
    'unsupported',
    'mode_unsupported',
    `None of the targets (${names}) can run this line within the batch's window and their mode. Use another completion_window, or 'mode: auto' in the route.`,
    'completion_window',
  );
}
