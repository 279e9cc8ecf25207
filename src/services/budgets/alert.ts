import { NEVER } from '../../core/budget-period.ts';
import { formatUsd } from '../../core/money.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BudgetAlert } from '../../ports/store-budgets.ts';

const ALERTS_AT_ONCE = 100;

/**
 * Tells of thresholds that were passed, as event `budget.alert`: to the tenant of whoever made the budget, and to the one
 * that it is for. Told again after a crash, it is the same event.
 */
export async function tellAlerts({ store, log }: Pick<Deps, 'store' | 'log'>, now: number): Promise<void> {
  for (const alert of await store.budgets.takeAlerts(now, ALERTS_AT_ONCE)) {
    const { id, budget, threshold, at } = alert;
    const data = dataOf(alert);
    const tenants = new Set([budget.ownerTenantId, budget.tenantId ?? budget.ownerTenantId]);
    const events = [...tenants].map((tenantId) => ({
      id,
      tenantId,
      type: 'budget.alert' as const,
      createdAt: at,
      data,
    }));
    await store.budgets.tellAlert(id, events, now);
    log.warn({ event: id, budget: budget.id, spentUsd: data.spent_usd, threshold }, 'a budget passed a threshold');
  }
}

function dataOf({ budget, period, threshold, spentNano, limitNano }: BudgetAlert) {
  return {
    id: budget.id,
    name: budget.name,
    threshold,
    spent_nano_usd: Number(spentNano),
    spent_usd: formatUsd(spentNano),
    limit_nano_usd: limitNano,
    limit_usd: formatUsd(limitNano),
    period: budget.period,
    period_starts_at: period.startsAt,
    period_ends_at: period.endsAt === NEVER ? null : period.endsAt,
  };
}
