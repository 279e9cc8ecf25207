import { isRequest, PLAN_RECORD_BYTES, planLength, planOffset } from '../../core/plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';

/** A request's place in the input file. */
export interface LaneLine {
  /** 0-based. */
  line: number;
  /** Bytes. */
  offset: number;
  length: number;
}

/** The requests of one lane between two lines, in file order; of each its place is read when it is asked for. */
export class LanePlaces {
  readonly count: number;
  private readonly firstLine: number;
  private readonly plan: DataView;
  /** Of which records of the plan. */
  private readonly records: Uint32Array;

  constructor(firstLine: number, plan: DataView, records: Uint32Array) {
    this.count = records.length;
    this.firstLine = firstLine;
    this.plan = plan;
    this.records = records;
  }

  line(index: number): number {
    return this.firstLine + this.record(index);
  }

  offset(index: number): number {
    return planOffset(this.plan, this.record(index));
  }

  length(index: number): number {
    return planLength(this.plan, this.record(index));
  }

  private record(index: number): number {
    const record = this.records[index];
    if (record === undefined) throw new RangeError('there is no such line');
    return record;
  }
}

/** As `laneLines`, for lines that are looked at one after another over a longer time. */
export async function lanePlaces(
  deps: Pick<Deps, 'files'>,
  { batch, input }: { batch: Pick<BatchRow, 'id' | 'lanesKey'>; input: Pick<FileRow, 'planKey'> },
  range: { lane: number; firstLine: number; lastLine: number },
): Promise<LanePlaces> {
  const { planKey } = input;
  const { lanesKey } = batch;
  if (planKey === null || lanesKey === null) throw new Error(`batch ${batch.id} has no plan`);
  const { lane, firstLine } = range;
  const count = range.lastLine - firstLine + 1;
  const [plan, lanes] = await Promise.all([
    deps.files.readRange(planKey, { offset: firstLine * PLAN_RECORD_BYTES, length: count * PLAN_RECORD_BYTES }),
    deps.files.readRange(lanesKey, { offset: firstLine * 2, length: count * 2 }),
  ]);
  const planView = new DataView(plan.buffer, plan.byteOffset, plan.byteLength);
  const laneView = new DataView(lanes.buffer, lanes.byteOffset, lanes.byteLength);
  const records = new Uint32Array(count);
  let own = 0;
  for (let index = 0; index < count; index++) {
    if (laneView.getUint16(index * 2, true) === lane && isRequest(planView, index)) records[own++] = index;
  }
  return new LanePlaces(firstLine, planView, records.slice(0, own));
}

/** The requests of one lane between two lines (0-based, inclusive), in file order. Throws for a batch that was never planned. */
export async function laneLines(...asked: Parameters<typeof lanePlaces>): Promise<LaneLine[]> {
  const places = await lanePlaces(...asked);
  return Array.from({ length: places.count }, (_, index) => ({
    line: places.line(index),
    offset: places.offset(index),
    length: places.length(index),
  }));
}
