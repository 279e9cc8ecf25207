import { isTerminal } from '../../core/batch-state.ts';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { RECORD_SUCCEEDED } from '../../core/part.ts';
import { isRequest, readPlanRecord } from '../../core/plan.ts';
import { ownFailure } from '../../core/refused-request.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import type { StopReason } from '../../ports/batch-control.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { readerOfLeft } from '../results/read-index.ts';
import { type BatchLine, missingLine } from './batch-line.ts';
import { inputLost } from './input-lost.ts';
import { keptLines } from './kept-lines.ts';
import { lineWindows } from './line-windows.ts';
import type { PartReader } from './part-reader.ts';

/** Lines handed on together: each step of an asynchronous iteration costs more than the line itself. */
const GROUP_LINES = 256;

export interface LinesWanted {
  /** 0-based. */
  from: number;
  /** Exclusive; absent: to the end. */
  to?: number;
  /** What becomes of lines without a result: a stop reason for an ended batch, null while it runs (they are `pending`). */
  rest: StopReason | 'lost' | null;
  /** Details count all attempts of a line, also those of earlier leases and those that came too late. */
  totals?: boolean;
  /** Which finished lines are read, by whether they succeeded: of the others nobody looks whether they can be. Absent: all. */
  read?: (succeeded: boolean) => boolean;
  /** The row of its input file, where that is at hand. */
  input?: FileRow | null;
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
  const input = options.input === undefined ? await deps.store.files.getAny(batch.inputFileId) : options.input;
  const total = input?.plan?.lines ?? 0;
  if (input && isTerminal(batch.status) && (await deps.files.size(input.contentKey)) === null) {
    for await (const line of keptLines(deps, batch, reader, { ...options, lines: total })) yield [line];
    return;
  }
  if (!input || (batch.lanesKey === null && !stoppedBeforeStart(batch, input))) return;
  const text = readerOfLeft(deps.files, input.contentKey);
  const range = { from: options.from, to: Math.min(total, options.to ?? total) };
  for await (const window of lineWindows(deps, { batch, input, reader }, range)) {
    const { first, last, located } = window;
    const totals = options.totals
      ? await deps.store.ledger.lineTotals(batch.id, first + 1, last + 1)
      : new Map<number, LineTotal>();
    let decided: Promise<Map<number, LineTotal>> | null = null;
    let ids: Promise<Map<number, string>> | null = null;
    const withoutRecord = async (line: number, lost: Lost): Promise<BatchLine> => {
      const total = totals.get(line + 1);
      const { rest } = options;
      if (lost !== 'no') decided ??= deps.store.ledger.decided(batch.id, first + 1, last + 1);
      const paid = (await decided)?.get(line + 1);
      const isLost = lost === 'yes' || (lost === 'maybe' && (rest === 'lost' || paid !== undefined));
      const lane = window.lanes && batch.lanes[window.lanes.getUint16((line - first) * 2, true)];
      const stopped = rest && (isLost ? resultLost(null) : stopFailure(rest));
      const failure = lane?.kind === 'refuse' ? lane.failure : stopped;
      if (!failure) return { state: 'pending', line, total };
      const shown = isLost ? (paid ?? total) : total;
      const request = requestOf(await text.read(readPlanRecord(window.plan, line - first)));
      if (request === null) {
        reader.meetDamage(input.contentKey);
        ids ??= deps.store.ledger.customIds(batch.id, first + 1, last + 1);
        const customId = (await ids).get(line + 1) ?? '';
        const failure = isLost && lane?.kind !== 'refuse' ? resultLost(line) : inputLost(line);
        return missingLine(batch, line, { customId, failure, total: shown });
      }
      const { customId, body } = request;
      return missingLine(batch, line, { customId, failure: ownFailure(failure, body), total: shown });
    };
    let group: BatchLine[] = [];
    for (let line = first; line <= last; line++) {
      if (!isRequest(window.plan, line - first)) continue;
      const record = located.get(line);
      const succeeded = ((record?.entry.flags ?? 0) & RECORD_SUCCEEDED) !== 0;
      const isRead = record !== undefined && (options.read?.(succeeded) ?? true);
      if (isRead && !reader.holds(record)) {
        // What is read now may take the memory of what the lines before are to be read from.
        if (group.length > 0) yield group;
        group = [];
        await reader.hold(record);
      }
      if (record && (!isRead || reader.isWhole(record))) {
        group.push({ state: 'finished', line, succeeded, record, total: totals.get(line + 1) });
      } else group.push(await withoutRecord(line, record ? 'yes' : located.mayBeLost(line) ? 'maybe' : 'no'));
      if (group.length === GROUP_LINES) {
        yield group;
        group = [];
      }
    }
    yield group;
  }
}

/** Whether a line had a result that cannot be read any more: of a part that is gone nobody knows which lines it had. */
type Lost = 'yes' | 'maybe' | 'no';

/** Cancelled before its lines had lanes: they are answered for all the same, unless some of them have no valid id. */
function stoppedBeforeStart(batch: BatchRow, input: FileRow): boolean {
  return batch.stop !== null && input.plan?.errorCount === 0;
}

/** Null for bytes that are not the line that was uploaded. */
function requestOf(bytes: Uint8Array): RequestLine | null {
  try {
    return parseRequestLine(bytes);
  } catch {
    return null;
  }
}

/** The code of lines whose stored results cannot be read any more. */
export const RESULT_LOST = 'result_lost';

/** `line` is 0-based, and null where its text is still there, to be asked again. */
function resultLost(line: number | null): Failure {
  const which = line === null ? 'this request' : `line ${line + 1} of the input file`;
  const next =
    line === null ? 'Retry the batch to ask again.' : 'The input file cannot be read either: upload it again.';
  const message =
    `The result of ${which} was stored, but its file on the server is damaged or gone. What it cost stands in the ` +
    `ledger. ${next}`;
  return refusal('interrupted', RESULT_LOST, message);
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
    case 'input_lost':
      return inputLost(null);
    case 'lost':
      return refusal('interrupted', 'result_missing', 'No result was recorded for this request. Retry the batch.');
  }
}
