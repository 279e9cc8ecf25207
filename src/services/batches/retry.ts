import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import { PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { createFile } from '../files/create.ts';
import { createBatch } from './create.ts';
import { ForwardReader } from './forward-reader.ts';
import { batchLines } from './lines.ts';
import { restOf } from './output.ts';
import { PartReader } from './part-reader.ts';
import { readableNow } from './readable-now.ts';
import { requireResults } from './results-gone.ts';
import { fetchBatch } from './retrieve.ts';

/**
 * A new batch of only the failed, expired or cancelled lines, on the same route and with the same window. Its input is
 * a new file with those lines, byte for byte.
 */
export async function retryBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  const batch = await fetchBatch(deps, context, id);
  if (!isTerminal(batch.status)) {
    throw new ApiError(
      409,
      `Cannot retry a batch with status '${batch.status}'. Wait for its end, or cancel it first.`,
      {
        code: 'batch_not_ended',
      },
    );
  }
  if (batch.status === 'failed') {
    throw new ApiError(
      409,
      'This batch failed validation: none of its lines ran. Mend the file and create a new batch.',
      {
        code: 'batch_failed',
      },
    );
  }
  const input = await deps.store.files.getAny(batch.inputFileId);
  if (!input || input.deletedAt !== null || (await deps.files.size(input.contentKey)) === null) {
    throw new ApiError(410, `The input file ${batch.inputFileId} is gone, so its lines cannot be sent again.`, {
      code: 'file_gone',
    });
  }
  await requireResults(deps, batch);
  if (batch.failed === 0) {
    throw new ApiError(400, 'Every line of this batch succeeded: there is nothing to retry.', {
      code: 'nothing_to_retry',
    });
  }
  const owner = { ...context, actor: { ...context.actor, tenantId: batch.tenantId } };
  const file = await createFile(deps, owner, {
    content: failedLines(readableNow(deps), batch, input),
    purpose: 'batch',
    details: () =>
      Promise.resolve({ filename: `retry-of-${batch.id}.jsonl`, purpose: 'batch', expiresAfterSeconds: null }),
  });
  return createBatch(deps, owner, {
    input_file_id: file.id,
    endpoint: batch.endpoint,
    completion_window: batch.completionWindow,
    metadata: batch.metadata,
    config: batch.route as Record<string, unknown> | null,
    retryOf: batch,
  });
}

async function* failedLines(deps: Deps, batch: BatchRow, input: FileRow): AsyncGenerator<Uint8Array> {
  const reader = new PartReader(deps.files);
  const plan = new ForwardReader(deps.files, input.planKey ?? '');
  const text = new ForwardReader(deps.files, input.contentKey);
  for await (const line of batchLines(deps, batch, reader, { from: 0, rest: restOf(batch) })) {
    if (line.state === 'finished' && line.succeeded) continue;
    const record = await plan.read({ offset: line.line * PLAN_RECORD_BYTES, length: PLAN_RECORD_BYTES });
    const place = readPlanRecord(new DataView(record.buffer, record.byteOffset, record.byteLength), 0);
    yield Buffer.concat([await text.read(place), Buffer.from('\n')]);
  }
}
