import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchListQuery } from '../../ports/store-batches.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import type { Page } from '../../protocol/page.ts';
import { toPage } from '../../protocol/page.ts';
import { tenantScope } from '../keys/tenant.ts';
import { presentBatch } from './present.ts';

/** A page of the caller's own batches, newest first unless the query says otherwise; other tenants' for administrators. */
export async function listBatches(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  { tenantId, ...query }: BatchListQuery & { tenantId?: string | undefined },
): Promise<Page<BatchObject>> {
  const rows = await deps.store.batches.list(tenantScope(context.actor, tenantId), {
    ...query,
    limit: query.limit + 1,
  });
  if (!rows) throw notFound('batch', query.after ?? '');
  return toPage(rows.map(presentBatch), query.limit);
}
