import { ApiError, notFound } from '../../core/api-error.ts';
import type { Actor, Context, Deps } from '../../ports/deps.ts';
import type { BatchListQuery } from '../../ports/store-batches.ts';
import type { Scope } from '../../ports/store-query.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import type { Page } from '../../protocol/page.ts';
import { toPage } from '../../protocol/page.ts';
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

/** Whose batches are meant: the actor's own tenant, the one named, or `*` for all. 403 for others than administrators. */
export function tenantScope(actor: Actor, asked: string | undefined): Scope {
  if (asked === undefined || asked === actor.tenantId) return { tenantId: actor.tenantId };
  if (actor.role !== 'admin') {
    throw new ApiError(403, "Only an admin key may see other tenants' batches. Leave 'tenant_id' out.", {
      code: 'admin_required',
      param: 'tenant_id',
    });
  }
  return asked === '*' ? 'all' : { tenantId: asked };
}
