import { Buffer } from 'node:buffer';
import type { Failure } from '../../core/failure.ts';
import { refusal, toErrorBody } from '../../core/failure.ts';
import { RECORD_SUCCEEDED } from '../../core/part.ts';
import { LINE_BLANK, LINE_INVALID, PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import { detailsText, parseDetails, resultText } from '../../core/result-text.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow, StopReason } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import { ForwardReader } from './forward-reader.ts';
import type { LocatedRecord, PartReader } from './part-reader.ts';

/** Lines looked at together: their places in the parts are held in memory, their texts are not. */
const WINDOW_LINES = 16_384;

/** One line of a batch, in input order. */
export type BatchLine =
  | { state: 'finished'; line: number; succeeded: boolean; record: LocatedRecord; total: LineTotal | undefined }
  /** Has no result, and will have none: `text` is its synthesised one. */
  | { state: 'missing'; line: number; failure: Failure; text: string; strictBytes: number }
  | { state: 'pending'; line: number };

/**
 * Walks a batch's lines in input order, from 0-based `from`, in bounded memory. `rest` says what becomes of lines
 * without a result: a stop reason for an ended batch, null while it runs (then they are `pending`). With `totals`,
 * details count all attempts of a line, also those of earlier leases and those that came too late.
 */
export async function* batchLines(
  deps: Deps,
  batch: BatchRow,
  reader: PartReader,
  options: { from: number; rest: StopReason | 'lost' | null; totals?: boolean },
): AsyncGenerator<BatchLine> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  const total = input?.plan?.lines ?? 0;
  if (!input || (batch.lanesKey === null && !stoppedBeforeStart(batch, input))) return;
  const text = new ForwardReader(deps.files, input.contentKey);
  for (let first = options.from; first < total; first += WINDOW_LINES) {
    const last = Math.min(total, first + WINDOW_LINES) - 1;
    const located = await locate(deps, batch, reader, first, last);
    const window = await readWindow(deps, batch, input, first, last);
    const totals = options.totals
      ? await deps.store.ledger.lineTotals(batch.id, first + 1, last + 1)
      : new Map<number, LineTotal>();
    for (let line = first; line <= last; line++) {
      const index = line - first;
      const plan = readPlanRecord(window.plan, index);
      if (plan.flags & (LINE_BLANK | LINE_INVALID)) continue;
      const record = located.get(line);
      if (record) {
        const succeeded = (record.entry.flags & RECORD_SUCCEEDED) !== 0;
        yield { state: 'finished', line, succeeded, record, total: totals.get(line + 1) };
        continue;
      }
      const lane = window.lanes && batch.lanes[window.lanes.getUint16(index * 2, true)];
      const failure = lane?.kind === 'refuse' ? lane.failure : options.rest && stopFailure(options.rest);
      if (failure) yield synthesise(batch, line, await text.read(plan), failure, totals.get(line + 1));
      else yield { state: 'pending', line };
    }
  }
}

/** Cancelled before its lines had lanes: they are answered for all the same, unless some of them have no valid id. */
function stoppedBeforeStart(batch: BatchRow, input: FileRow): boolean {
  return batch.stop !== null && input.plan?.errorCount === 0;
}

async function locate(
  deps: Deps,
  batch: BatchRow,
  reader: PartReader,
  first: number,
  last: number,
): Promise<Map<number, LocatedRecord>> {
  const located = new Map<number, LocatedRecord>();
  for (const part of await deps.store.segments.parts(batch.id, first, last)) {
    for (const entry of await reader.index(part)) {
      if (entry.line >= first && entry.line <= last) located.set(entry.line, { part, entry });
    }
  }
  return located;
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
    case 'lost':
      return refusal('interrupted', 'result_missing', 'No result was recorded for this request. Retry the batch.');
  }
}

function synthesise(
  batch: BatchRow,
  line: number,
  bytes: Uint8Array,
  failure: Failure,
  total: LineTotal | undefined,
): BatchLine {
  const error = toErrorBody(failure);
  const refused = failure.kind === 'not_found' || failure.kind === 'unsupported' || failure.kind === 'invalid_request';
  const { text, strictBytes } = resultText({
    line,
    customId: parseRequestLine(bytes).customId,
    batchId: batch.id,
    // A line that Weir itself refuses is answered as a provider would; one that never ran has no response.
    statusCode: refused ? (failure.kind === 'not_found' ? 404 : 400) : null,
    requestId: null,
    body: JSON.stringify({ error }),
    error: { code: error.code, message: error.message },
    details: {
      line: line + 1,
      provider: null,
      model: null,
      target: null,
      attempts: total?.attempts ?? 0,
      cost_nano_usd: total ? total.amountNano : 0,
      warnings: [],
      finish_reason: null,
      input_tokens: 0,
      output_tokens: 0,
    },
  });
  return { state: 'missing', line, failure, text, strictBytes };
}

/** A result line in OpenAI's strict shape, with its line feed. */
export async function strictBytes(reader: PartReader, line: Exclude<BatchLine, { state: 'pending' }>): Promise<Buffer> {
  const head =
    line.state === 'missing'
      ? Buffer.from(line.text).subarray(0, line.strictBytes)
      : await reader.slice(line.record, 0, line.record.entry.strictLength);
  return Buffer.concat([head, Buffer.from('}\n')]);
}

/** A result line with Weir's own details, with its line feed. */
export async function fullBytes(reader: PartReader, line: Exclude<BatchLine, { state: 'pending' }>): Promise<Buffer> {
  if (line.state === 'missing') return Buffer.from(`${line.text}\n`);
  const { strictLength, length } = line.record.entry;
  const strict = await reader.slice(line.record, 0, strictLength);
  const tail = Buffer.from(await reader.slice(line.record, strictLength, length));
  if (!line.total) return Buffer.concat([strict, tail, Buffer.from('\n')]);
  const details = parseDetails(tail.toString('utf8'));
  const { attempts, amountNano } = line.total;
  const counted = detailsText({ ...details, attempts, cost_nano_usd: amountNano });
  return Buffer.concat([strict, Buffer.from(`${counted}\n`)]);
}
