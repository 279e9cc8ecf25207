/** What a budget counts. */
import type { RunLane } from './lane.ts';

/** What is named has to be met; a budget that names nothing counts everything. */
export interface BudgetScope {
  tenantId: string | null;
  keyId: string | null;
  tag: { key: string; value: string } | null;
  /** Name of a route. */
  route: string | null;
}

/** A batch or a call, as far as budgets tell it apart. */
export interface Spender {
  tenantId: string;
  keyId: string | null;
  tags: Readonly<Record<string, string>> | null;
  /** The routes that its requests go by. */
  routes: readonly string[];
}

/** The code of lines that were not run because a budget was spent. */
export const BUDGET_EXCEEDED = 'budget_exceeded';

/** What a batch shows as its route when the client wrote one out: no budget counts by it. */
export const INLINE_ROUTE = 'inline';

export function coversSpender(scope: BudgetScope, spender: Spender): boolean {
  const { tenantId, keyId, tag, route } = scope;
  return (
    (tenantId === null || tenantId === spender.tenantId) &&
    (keyId === null || keyId === spender.keyId) &&
    (route === null || spender.routes.includes(route)) &&
    (tag === null || new Map(Object.entries(spender.tags ?? {})).get(tag.key) === tag.value)
  );
}

/** The route that a request went by: its batch's, or the call's own, else the one that its model names. */
export function routeNameOf(given: string | null, lane: Pick<RunLane, 'route'>): string | null {
  const name = given ?? lane.route ?? null;
  return name === INLINE_ROUTE ? null : name;
}
