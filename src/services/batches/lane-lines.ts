import { LINE_BLANK, LINE_INVALID, PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
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

/** The requests of one lane between two lines (0-based, inclusive), in file order. Throws for a batch that was never planned. */
export async function laneLines(
  deps: Pick<Deps, 'files'>,
  { batch, input }: { batch: Pick<BatchRow, 'id' | 'lanesKey'>; input: Pick<FileRow, 'planKey'> },
  range: { lane: number; firstLine: number; lastLine: number },
): Promise<LaneLine[]> {
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
  const lines: LaneLine[] = [];
  for (let index = 0; index < count; index++) {
    if (laneView.getUint16(index * 2, true) !== lane) continue;
    const record = readPlanRecord(planView, index);
    if (record.flags & (LINE_BLANK | LINE_INVALID)) continue;
    lines.push({ line: firstLine + index, offset: record.offset, length: record.length });
  }
  return lines;
}
