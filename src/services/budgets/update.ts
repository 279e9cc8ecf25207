import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BudgetState } from '../../ports/store-budgets.ts';
import type { BudgetUpdate } from '../../protocol/budget.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { readLimit, readThresholds } from './read-input.ts';
import { retrieveBudget } from './retrieve.ts';

/**
 * Changes a budget's limit or rules; running batches are held to them from their next commit on. Throws 403 for others
 * than admins, 404 for an unknown id, 400 for what cannot be.
 */
export async function updateBudget(
  deps: Pick<Deps, 'store' | 'clock' | 'log' | 'nudge'>,
  context: Pick<Context, 'actor'>,
  id: string,
  input: BudgetUpdate,
): Promise<BudgetState> {
  requireAdmin(context.actor);
  const limitNano = readLimit(input);
  const { name, on_insufficient: onInsufficient, unpriced, alert_thresholds: thresholds } = input;
  const change = {
    ...(name !== undefined && { name }),
    ...(limitNano !== undefined && { limitNano }),
    ...(onInsufficient !== undefined && { onInsufficient }),
    ...(unpriced !== undefined && { unpriced }),
    ...(thresholds !== undefined && { thresholds: readThresholds(thresholds) }),
  };
  const now = unixSeconds(deps.clock);
  if (!(await deps.store.budgets.update(id, change, now))) throw notFound('budget', id);
  deps.log.info({ budgetId: id, ...change, by: context.actor.keyId }, 'budget changed');
  deps.nudge();
  return retrieveBudget(deps, context, id);
}
