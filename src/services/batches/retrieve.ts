import { ApiError, notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { presentShards } from '../shards/present.ts';
import { presentBatch } from './present.ts';

/** The batch's row, or 404 when it does not exist or is another tenant's. */
export async function fetchBatch(deps: Deps, context: Context, id: string): Promise<BatchRow> {
  const row = await deps.store.batches.get(scopeOf(context.actor), id);
  if (!row) throw notFound('batch', id);
  return row;
}

/** The batch with its shards; with `details` each shard carries the provider's own answer, asked for now. */
export async function retrieveBatch(deps: Deps, context: Context, id: string, details = false): Promise<BatchObject> {
  if (details && context.actor.role !== 'admin') {
    throw new ApiError(403, 'Provider details name accounts and buckets: they need an admin key.', {
      code: 'admin_required',
      param: 'include_provider_details',
    });
  }
  // Nothing of another tenant's is shown: what is found of it goes with the error.
  const asked = details ? null : presentShards(deps, id, false);
  asked?.catch(() => undefined);
  const row = await fetchBatch(deps, context, id);
  const shards = await (asked ?? presentShards(deps, row.id, true));
  return { ...presentBatch(row), ...(shards.length > 0 && { shards }) };
}
