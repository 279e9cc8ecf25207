import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import type { Fields } from '../../core/fields.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { cancelBatch } from '../batches/cancel.ts';
import { deleteFile } from '../files/delete.ts';
import { noMessageBatch, toBatchId } from './batch-id.ts';

/** A batch that came by this door. Throws ApiError 404 for any other, and one that was deleted here. */
export async function retrieveMessageBatch(deps: Deps, context: Context, id: string): Promise<BatchRow> {
  const batch = await deps.store.batches.get(scopeOf(context.actor), toBatchId(id));
  if (batch?.front !== 'messages' || batch.frontDeletedAt !== null) throw noMessageBatch(id);
  return batch;
}

/** A page of the caller's batches that came by this door, newest first: the one after `afterId`, or the one before `beforeId`. */
export async function listMessageBatches(
  deps: Deps,
  context: Context,
  { limit, afterId, beforeId }: { limit: number; afterId: string | undefined; beforeId: string | undefined },
): Promise<{ hasMore: boolean; batches: BatchRow[] }> {
  if (afterId !== undefined && beforeId !== undefined) {
    throw new ApiError(400, 'before_id: give either before_id or after_id', { code: 'invalid_request' });
  }
  const cursor = afterId ?? beforeId;
  const rows = await deps.store.batches.list(
    { tenantId: context.actor.tenantId },
    {
      limit: limit + 1,
      // What comes before a batch is read from there upwards.
      order: beforeId === undefined ? 'desc' : 'asc',
      front: 'messages',
      ...(cursor !== undefined && { after: toBatchId(cursor) }),
    },
  );
  if (rows === null) throw noMessageBatch(cursor ?? '');
  const page = rows.slice(0, limit);
  return { hasMore: rows.length > limit, batches: beforeId === undefined ? page : page.reverse() };
}

export async function cancelMessageBatch(deps: Deps, context: Context, id: string): Promise<BatchRow> {
  const { id: batchId, status } = await retrieveMessageBatch(deps, context, id);
  // A batch that has ended, or is about to, is answered as it is.
  if (!isTerminal(status)) await cancelBatch(deps, context, batchId).catch(ignore(409));
  return retrieveMessageBatch(deps, context, id);
}

/** Deletes an ended batch with its requests and results; its account remains. Asked again after a crash, it goes on. */
export async function deleteMessageBatch(deps: Deps, context: Context, id: string): Promise<Fields> {
  const batch = await retrieveMessageBatch(deps, context, id);
  if (!isTerminal(batch.status)) {
    throw new ApiError(400, 'Only a batch that has ended can be deleted. Cancel it first.', {
      code: 'batch_not_ended',
    });
  }
  for (const file of [batch.outputFileId, batch.errorFileId, batch.inputFileId]) {
    if (file !== null) await deleteFile(deps, context, file).catch(ignore(404));
  }
  await deps.store.batches.deleteFromFront(batch.id, unixSeconds(deps.clock));
  return { id, type: 'message_batch_deleted' };
}

function ignore(status: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ApiError && error.status === status)) throw error;
  };
}
