import { NEVER } from '../../core/budget-period.ts';
import { formatUsd } from '../../core/money.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BudgetAlert } from '../../ports/store-budgets.ts';

/** Tells of a threshold that was passed: the event `budget.alert`. */
export function tellAlert({ log }: Pick<Deps, 'log'>, { id, budget, period, threshold, ...alert }: BudgetAlert): void {
  log.warn(
    {
      event: id,
      budget: budget.id,
      name: budget.name,
      threshold,
      spentUsd: formatUsd(alert.spentNano),
      limitUsd: formatUsd(alert.limitNano),
      until: period.endsAt === NEVER ? null : period.endsAt,
    },
    `${threshold} % of a budget are spent`,
  );
}
