import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { formatUsd } from '../../core/money.ts';
import { PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import { lineOfResult, resultId } from '../../core/result-text.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchRequest, RequestStatus } from '../../protocol/batch-request.ts';
import type { Page } from '../../protocol/page.ts';
import { toPage } from '../../protocol/page.ts';
import type { OutputLine } from '../../protocol/result-line.ts';
import { type BatchLine, fullBytes } from './batch-line.ts';
import { batchLines } from './lines.ts';
import { restOf } from './output.ts';
import { PartReader } from './part-reader.ts';
import { readableOrLost } from './readable-now.ts';
import { requireResults } from './results-gone.ts';
import { fetchBatch } from './retrieve.ts';

/** The requests of a batch in input order, also while it runs. `after` is the id of the last one seen. */
export async function listRequests(
  services: Deps,
  context: Context,
  id: string,
  query: { status?: RequestStatus | undefined; after?: string | undefined; limit: number },
): Promise<Page<BatchRequest>> {
  const deps = readableOrLost(services);
  const batch = await fetchBatch(deps, context, id);
  await requireResults(deps, batch);
  const input = await deps.store.files.getAny(batch.inputFileId);
  const reader = new PartReader(deps.files);
  const found: BatchRequest[] = [];
  const from = query.after === undefined ? 0 : lineOf(batch, query.after);
  const wanted = query.status;
  const read = (succeeded: boolean): boolean => wanted === undefined || wanted === (succeeded ? 'completed' : 'failed');
  for await (const line of batchLines(deps, batch, reader, { from, rest: restOf(batch), totals: true, read })) {
    if (wanted !== undefined && statusOf(line) !== wanted) continue;
    found.push(line.state === 'pending' ? await pending(deps, batch, input, line) : await finished(reader, line));
    if (found.length > query.limit) break;
  }
  return toPage(found, query.limit);
}

/** 0-based line after the one that `after` names. */
function lineOf(batch: BatchRow, after: string): number {
  const line = lineOfResult(batch.id, after);
  if (line === null) {
    throw new ApiError(400, `'${after.slice(0, 128)}' is no request of this batch. Use the last id of a page.`, {
      code: 'invalid_cursor',
      param: 'after',
    });
  }
  return line + 1;
}

function statusOf(line: BatchLine): RequestStatus {
  switch (line.state) {
    case 'pending':
      return 'pending';
    case 'finished':
      return line.succeeded ? 'completed' : 'failed';
    case 'missing':
      return line.failure.kind === 'cancelled' || line.failure.kind === 'expired' ? line.failure.kind : 'failed';
  }
}

async function finished(reader: PartReader, line: Exclude<BatchLine, { state: 'pending' }>): Promise<BatchRequest> {
  const parsed = JSON.parse(Buffer.from(await fullBytes(reader, line)).toString('utf8')) as OutputLine;
  const { weir } = parsed;
  return {
    id: parsed.id,
    object: 'batch.request',
    line: weir.line,
    custom_id: parsed.custom_id,
    status: statusOf(line),
    provider: weir.provider,
    model: weir.model,
    target: weir.target,
    attempts: weir.attempts,
    input_tokens: weir.input_tokens,
    output_tokens: weir.output_tokens,
    cost_nano_usd: weir.cost_nano_usd,
    cost_usd: formatUsd(weir.cost_nano_usd),
    finish_reason: weir.finish_reason,
    status_code: parsed.response?.status_code ?? null,
    error: parsed.error,
    warnings: weir.warnings,
  };
}

async function pending(
  deps: Deps,
  batch: BatchRow,
  input: FileRow | null,
  { line, total }: Extract<BatchLine, { state: 'pending' }>,
): Promise<BatchRequest> {
  const record = await deps.files.readRange(input?.planKey ?? '', {
    offset: line * PLAN_RECORD_BYTES,
    length: PLAN_RECORD_BYTES,
  });
  const place = readPlanRecord(new DataView(record.buffer, record.byteOffset, record.byteLength), 0);
  const bytes = await deps.files.readRange(input?.contentKey ?? '', place);
  const cost = total ? total.amountNano : 0;
  return {
    id: resultId(batch.id, line),
    object: 'batch.request',
    line: line + 1,
    custom_id: parseRequestLine(bytes).customId,
    status: 'pending',
    provider: null,
    model: null,
    target: null,
    attempts: total?.attempts ?? 0,
    input_tokens: 0,
    output_tokens: 0,
    cost_nano_usd: cost,
    cost_usd: formatUsd(cost),
    finish_reason: null,
    status_code: null,
    error: null,
    warnings: [],
  };
}
