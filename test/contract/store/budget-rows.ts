import type { Store } from '../../../src/ports/store.ts';
import type { BudgetRow } from '../../../src/ports/store-budgets.ts';
import { NOW } from './subject.ts';

export const DAY = { startsAt: NOW - (NOW % 86_400), endsAt: NOW - (NOW % 86_400) + 86_400 };
const anything = { tenantId: null, keyId: null, tag: null, route: null };

export function budgetRow(id: string, change: Partial<BudgetRow> = {}): BudgetRow {
  return {
    ...anything,
    id,
    name: id,
    ownerTenantId: 'default',
    limitNano: 10_000,
    period: 'day',
    timeZone: 'UTC',
    since: NOW,
    onInsufficient: 'reject',
    unpriced: 'refuse',
    thresholds: [50, 100],
    createdAt: NOW,
    updatedAt: NOW,
    ...change,
  };
}

/** What is spent and held of a budget; null when there is none. */
export async function usage(store: Store, id: string) {
  const state = await store.budgets.get(id, NOW);
  return state && { spent: state.usage.spentNano, held: state.usage.heldNano };
}
