import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { requireAdmin } from '../keys/require-admin.ts';

/** Removes a budget: nothing is held to it any more. Throws 403 for others than admins, 404 for an unknown id. */
export async function deleteBudget(
  deps: Pick<Deps, 'store' | 'log'>,
  context: Pick<Context, 'actor'>,
  id: string,
): Promise<void> {
  requireAdmin(context.actor);
  if (!(await deps.store.budgets.delete(id))) throw notFound('budget', id);
  deps.log.info({ budgetId: id, by: context.actor.keyId }, 'budget deleted');
}
