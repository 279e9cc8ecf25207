import { formatUsd } from '../../core/money.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Metric, Metrics } from '../../ports/metrics.ts';

/** A series each: the oldest budgets have one. */
const BUDGETS_MAX = 1_000;

const gaugeOf = (what: string, help: string): Metric => ({
  name: `weir_budget_${what}_usd`,
  help: `${help} In US dollars; exact at /v1/budgets.`,
  labels: ['budget'],
});
const limit = gaugeOf('limit', 'What a budget allows in its present period.');
const spent = gaugeOf('spent', 'What was spent of a budget in its present period.');
const held = gaugeOf('held', 'What running batches and calls may still come to of a budget.');

/** Gauges of budgets by their ids, read when the metrics are: for administrators alone. */
export function gaugeBudgets({ store, clock }: Pick<Deps, 'store' | 'clock'>, metrics: Metrics): void {
  metrics.onRender(async () => {
    for (const metric of [limit, spent, held]) metrics.reset(metric);
    const budgets = (await store.budgets.list({ limit: BUDGETS_MAX, order: 'asc' }, unixSeconds(clock))) ?? [];
    for (const { id: budget, limitNano, usage } of budgets) {
      metrics.set(limit, { budget }, Number(formatUsd(limitNano)));
      metrics.set(spent, { budget }, Number(formatUsd(usage.spentNano)));
      metrics.set(held, { budget }, Number(formatUsd(usage.heldNano)));
    }
  });
}
