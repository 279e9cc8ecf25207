import type { Deps } from '../../ports/deps.ts';
import { tellAlerts } from './alert.ts';
import { addPeriods } from './periods.ts';

const STOPPED_AT_ONCE = 100;

/** When there last was one: ticks may follow each other closely, and nothing here is due within a second. */
const lastRounds = new WeakMap<object, number>();

/**
 * What is due about budgets: periods that begin, holds that their holders left behind, thresholds that were passed, and
 * batches that learn of a spent budget by nothing of their own. Answers the batches that it stopped.
 */
export async function budgetRound(deps: Pick<Deps, 'store' | 'log'>, now: number): Promise<string[]> {
  const { budgets } = deps.store;
  if (lastRounds.get(deps.store) === now) return [];
  lastRounds.set(deps.store, now);
  if (!(await budgets.any())) return [];
  await addPeriods(deps, now);
  await budgets.reclaim(now);
  await tellAlerts(deps, now);
  return budgets.stopExhausted(now, STOPPED_AT_ONCE);
}
