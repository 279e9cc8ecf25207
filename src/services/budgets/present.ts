import { NEVER } from '../../core/budget-period.ts';
import { formatUsd } from '../../core/money.ts';
import type { BudgetState } from '../../ports/store-budgets.ts';
import type { BudgetObject } from '../../protocol/budget.ts';
import { leftOf } from './insufficient.ts';

/** The budget as administrators see it, with what is spent and held in its present period. */
export function presentBudget(budget: BudgetState): BudgetObject {
  const { usage } = budget;
  const left = leftOf(budget);
  return {
    id: budget.id,
    object: 'budget',
    name: budget.name,
    tenant_id: budget.tenantId,
    key_id: budget.keyId,
    tag: budget.tag,
    route: budget.route,
    limit_nano_usd: budget.limitNano,
    limit_usd: formatUsd(budget.limitNano) ?? '0',
    period: budget.period,
    timezone: budget.timeZone,
    on_insufficient: budget.onInsufficient,
    unpriced: budget.unpriced,
    alert_thresholds: budget.thresholds,
    created_at: budget.createdAt,
    updated_at: budget.updatedAt,
    usage: {
      period_starts_at: usage.startsAt,
      period_ends_at: usage.endsAt === NEVER ? null : usage.endsAt,
      spent_nano_usd: Number(usage.spentNano),
      spent_usd: formatUsd(usage.spentNano) ?? '0',
      held_nano_usd: Number(usage.heldNano),
      held_usd: formatUsd(usage.heldNano) ?? '0',
      left_nano_usd: Number(left),
      left_usd: formatUsd(left) ?? '0',
      alerts: usage.alerts,
    },
  };
}
