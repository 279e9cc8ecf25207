import { periodAt } from '../../core/budget-period.ts';
import type { Deps } from '../../ports/deps.ts';

/** Periods are known so long before they begin: an entry finds its own whenever it is written. */
const AHEAD_SECONDS = 2 * 86_400;

/** Sees to it that the periods of every budget are known from now on, for a while. */
export async function addPeriods({ store }: Pick<Deps, 'store'>, now: number): Promise<void> {
  for (const { knownUntil, ...budget } of await store.budgets.endingBefore(now + AHEAD_SECONDS / 2)) {
    for (let at = Math.max(now, knownUntil); at < now + AHEAD_SECONDS; ) {
      const period = periodAt(budget.period, budget.timeZone, at, budget.since);
      await store.budgets.addPeriod(budget, period);
      at = period.endsAt;
    }
  }
}
