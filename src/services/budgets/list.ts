import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { BudgetObject } from '../../protocol/budget.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { presentBudget } from './present.ts';

/** A page of all budgets. Throws 403 for others than admins, 404 for an unknown cursor. */
export async function listBudgets(
  deps: Pick<Deps, 'store' | 'clock'>,
  context: Pick<Context, 'actor'>,
  query: ListQuery,
): Promise<Page<BudgetObject>> {
  requireAdmin(context.actor);
  const rows = await deps.store.budgets.list({ ...query, limit: query.limit + 1 }, unixSeconds(deps.clock));
  if (rows === null) throw notFound('budget', query.after ?? '');
  return toPage(rows.map(presentBudget), query.limit);
}
