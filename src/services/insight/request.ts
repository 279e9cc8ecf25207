import { Buffer } from 'node:buffer';
import { notFound } from '../../core/api-error.ts';
import { PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import { lineOfResult } from '../../core/result-text.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { BatchRequestDetail } from '../../protocol/batch-insight.ts';
import type { OutputLine } from '../../protocol/result-line.ts';
import { fullBytes } from '../batches/batch-line.ts';
import { PartReader } from '../batches/part-reader.ts';
import { readableOrLost } from '../batches/readable-now.ts';
import { listRequests } from '../batches/requests.ts';
import { fetchBatch } from '../batches/retrieve.ts';
import { listEntries } from '../ledger/entries.ts';

/** Attempts that are shown of one line. */
const ENTRIES_MAX = 100;

/** One request of a batch with its bodies and attempts. Throws 404 for an id that is none of the batch's. */
export async function batchRequest(
  deps: Deps,
  context: Context,
  batchId: string,
  requestId: string,
): Promise<BatchRequestDetail> {
  const batch = await fetchBatch(deps, context, batchId);
  const line = lineOfResult(batch.id, requestId);
  if (line === null) throw notFound('request', requestId);
  const before = line === 0 ? undefined : requestId.replace(/\d+$/, String(line));
  const [found] = (await listRequests(deps, context, batchId, { after: before, limit: 1 })).data;
  if (found?.id !== requestId) throw notFound('request', requestId);
  const filter = { tenantId: batch.tenantId, batchId: batch.id, line: line + 1 };
  const entries = await listEntries(deps, filter, { limit: ENTRIES_MAX, order: 'asc' });
  return {
    ...found,
    input: await inputOf(deps, batch, line),
    response: await responseOf(readableOrLost(deps), batch, line),
    entries: entries.data,
  };
}

/** The line of the input file, parsed; null when the file is gone. */
async function inputOf(deps: Deps, batch: BatchRow, line: number): Promise<unknown> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  if (!input?.planKey || (await deps.files.size(input.contentKey)) === null) return null;
  const range = { offset: line * PLAN_RECORD_BYTES, length: PLAN_RECORD_BYTES };
  const record = await deps.files.readRange(input.planKey, range);
  const place = readPlanRecord(new DataView(record.buffer, record.byteOffset, record.byteLength), 0);
  return JSON.parse(Buffer.from(await deps.files.readRange(input.contentKey, place)).toString('utf8'));
}

/** The provider's answer as it was delivered; null while there is none, or when it cannot be read. */
async function responseOf(deps: Deps, batch: BatchRow, line: number): Promise<unknown> {
  const reader = new PartReader(deps.files);
  const record = await reader.find(deps.store.segments, batch.id, line);
  if (record === null) return null;
  const bytes = await fullBytes(reader, { state: 'finished', line, succeeded: true, record, total: undefined });
  return (JSON.parse(Buffer.from(bytes).toString('utf8')) as OutputLine).response;
}
