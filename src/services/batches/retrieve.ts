import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { presentBatch } from './present.ts';

/** The batch's row, or 404 when it does not exist or is another tenant's. */
export async function fetchBatch(deps: Deps, context: Context, id: string): Promise<BatchRow> {
  const row = await deps.store.batches.get(scopeOf(context.actor), id);
  if (!row) throw notFound('batch', id);
  return row;
}

export async function retrieveBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  return presentBatch(await fetchBatch(deps, context, id));
}
