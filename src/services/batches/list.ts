import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import type { Page } from '../../protocol/page.ts';
import { toPage } from '../../protocol/page.ts';
import { presentBatch } from './present.ts';

/** The caller's own batches, newest first. */
export async function listBatches(
  deps: Deps,
  context: Context,
  query: { limit: number; after?: string | undefined },
): Promise<Page<BatchObject>> {
  const rows = await deps.store.batches.list(context.actor.tenantId, { ...query, limit: query.limit + 1 });
  if (!rows) throw notFound('batch', query.after ?? '');
  return toPage(rows.map(presentBatch), query.limit);
}
