import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { EvalObject } from '../../protocol/eval.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { presentEval } from './present.ts';

/** A page of the caller's own evals. */
export async function listEvals(
  deps: Deps,
  { actor }: Context,
  query: ListQuery & { orderBy?: 'created_at' | 'updated_at' | undefined },
): Promise<Page<EvalObject>> {
  const rows = await deps.store.evals.list(actor.tenantId, { ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('eval', query.after ?? '');
  return toPage(rows.map(presentEval), query.limit);
}
