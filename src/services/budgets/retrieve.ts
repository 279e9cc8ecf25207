import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BudgetState } from '../../ports/store-budgets.ts';
import { requireAdmin } from '../keys/require-admin.ts';

/** A budget with its usage. Throws 403 for others than admins, 404 for an unknown id. */
export async function retrieveBudget(
  deps: Pick<Deps, 'store' | 'clock'>,
  context: Pick<Context, 'actor'>,
  id: string,
): Promise<BudgetState> {
  requireAdmin(context.actor);
  const budget = await deps.store.budgets.get(id, unixSeconds(deps.clock));
  if (budget === null) throw notFound('budget', id);
  return budget;
}
