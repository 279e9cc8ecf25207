import { isTerminal } from '../../core/batch-state.ts';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { RECORD_SUCCEEDED } from '../../core/part.ts';
import { isRequest, PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import { ownFailure } from '../../core/refused-request.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow, StopReason } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import { type BatchLine, missingLine } from './batch-line.ts';
import { ForwardReader } from './forward-reader.ts';
import { keptLines } from './kept-lines.ts';
import { type PartReader, WINDOW_LINES } from './part-reader.ts';

/** Lines handed on together: each step of an asynchronous iteration costs more than the line itself. */
const GROUP_LINES = 256;

export interface LinesWanted {
  /** 0-based. */
  from: number;
  /** What becomes of lines without a result: a stop reason for an ended batch, null while it runs (they are `pending`). */
  rest: StopReason | 'lost' | null;
  /** Details count all attempts of a line, also those of earlier leases and those that came too late. */
  totals?: boolean;
}

/** Walks a batch's lines in input order, in bounded memory. */
export async function* batchLines(
  deps: Deps,
  batch: BatchRow,
  reader: PartReader,
  wanted: LinesWanted,
): AsyncGenerator<BatchLine> {
  for await (const group of batchLineGroups(deps, batch, reader, wanted)) yield* group;
}

/** As `batchLines`, some hundred lines at a time. */
export async function* batchLineGroups(
  deps: Deps,
  batch: BatchRow,
  reader: PartReader,
  options: LinesWanted,
): AsyncGenerator<BatchLine[]> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  const total = input?.plan?.lines ?? 0;
  if (input?.deletedAt != null && isTerminal(batch.status) && (await deps.files.size(input.contentKey)) === null) {
    for await (const line of keptLines(deps, batch, reader, { ...options, lines: total })) yield [line];
    return;
  }
  if (!input || (batch.lanesKey === null && !stoppedBeforeStart(batch, input))) return;
  const text = new ForwardReader(deps.files, input.contentKey);
  for (let first = options.from; first < total; first += WINDOW_LINES) {
    const last = Math.min(total, first + WINDOW_LINES) - 1;
    const located = await reader.locate(deps.store.segments, batch.id, first, last);
    const window = await readWindow(deps, batch, input, first, last);
    const totals = options.totals
      ? await deps.store.ledger.lineTotals(batch.id, first + 1, last + 1)
      : new Map<number, LineTotal>();
    const withoutRecord = async (line: number): Promise<BatchLine> => {
      const lane = window.lanes && batch.lanes[window.lanes.getUint16((line - first) * 2, true)];
      const failure = lane?.kind === 'refuse' ? lane.failure : options.rest && stopFailure(options.rest);
      if (!failure) return { state: 'pending', line, total: totals.get(line + 1) };
      const { customId, body } = parseRequestLine(await text.read(readPlanRecord(window.plan, line - first)));
      const said = ownFailure(failure, body);
      return missingLine(batch, line, { customId, failure: said, total: totals.get(line + 1) });
    };
    let group: BatchLine[] = [];
    for (let line = first; line <= last; line++) {
      if (!isRequest(window.plan, line - first)) continue;
      const record = located.get(line);
      if (record) {
        const succeeded = (record.entry.flags & RECORD_SUCCEEDED) !== 0;
        group.push({ state: 'finished', line, succeeded, record, total: totals.get(line + 1) });
      } else group.push(await withoutRecord(line));
      if (group.length === GROUP_LINES) {
        yield group;
        group = [];
      }
    }
    yield group;
  }
}

/** Cancelled before its lines had lanes: they are answered for all the same, unless some of them have no valid id. */
function stoppedBeforeStart(batch: BatchRow, input: FileRow): boolean {
  return batch.stop !== null && input.plan?.errorCount === 0;
}

async function readWindow(
  deps: Deps,
  batch: BatchRow,
  input: FileRow,
  first: number,
  last: number,
): Promise<{ plan: DataView; lanes: DataView | null }> {
  const count = last - first + 1;
  const [plan, lanes] = await Promise.all([
    deps.files.readRange(input.planKey ?? '', { offset: first * PLAN_RECORD_BYTES, length: count * PLAN_RECORD_BYTES }),
    batch.lanesKey === null ? null : deps.files.readRange(batch.lanesKey, { offset: first * 2, length: count * 2 }),
  ]);
  return {
    plan: new DataView(plan.buffer, plan.byteOffset, plan.byteLength),
    lanes: lanes && new DataView(lanes.buffer, lanes.byteOffset, lanes.byteLength),
  };
}

/** The words are OpenAI's for lines that did not run in time or were cancelled. */
function stopFailure(rest: StopReason | 'lost'): Failure {
  switch (rest) {
    case 'cancelled':
      return refusal('cancelled', 'batch_cancelled', 'This request was not executed because the batch was cancelled.');
    case 'expired':
      return refusal(
        'expired',
        'batch_expired',
        'This request could not be executed before the completion window expired.',
      );
    case 'budget':
      return refusal(
        'quota_exhausted',
        BUDGET_EXCEEDED,
        'This request was not executed because the budget of its batch is spent.',
      );
    case 'lost':
      return refusal('interrupted', 'result_missing', 'No result was recorded for this request. Retry the batch.');
  }
}
