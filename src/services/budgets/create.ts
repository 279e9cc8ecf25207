import { isTimeZone, periodAt } from '../../core/budget-period.ts';
import { INLINE_ROUTE } from '../../core/budget-scope.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BudgetRow, BudgetState } from '../../ports/store-budgets.ts';
import { type BudgetCreate, DEFAULT_THRESHOLDS } from '../../protocol/budget.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { addPeriods } from './periods.ts';
import { invalid, readLimit, readThresholds } from './read-input.ts';

/**
 * Makes a budget. What the ledger has of its present period is spent already; batches that run are covered from now on.
 * Throws 403 for others than admins, 400 for what cannot be.
 */
export async function createBudget(deps: Deps, context: Context, input: BudgetCreate): Promise<BudgetState> {
  requireAdmin(context.actor);
  const now = unixSeconds(deps.clock);
  const limitNano = readLimit(input);
  if (limitNano === undefined) throw invalid('limit_usd', 'say how much may be spent, such as "100"');
  await checkScope(deps, input);
  const { period, timezone: timeZone, starts_at: startsAt, tag } = input;
  const row: BudgetRow = {
    id: context.newId('budget_'),
    name: input.name ?? defaultName(input),
    ownerTenantId: context.actor.tenantId,
    tenantId: input.tenant_id ?? null,
    keyId: input.key_id ?? null,
    tag: tag ?? null,
    route: input.route ?? null,
    limitNano,
    period,
    timeZone,
    since: startsAt ?? now,
    onInsufficient: input.on_insufficient ?? 'reject',
    unpriced: input.unpriced ?? 'refuse',
    thresholds: readThresholds(input.alert_thresholds ?? DEFAULT_THRESHOLDS),
    createdAt: now,
    updatedAt: now,
  };
  await deps.store.budgets.insert(row, periodAt(period, timeZone, now, row.since));
  await addPeriods(deps, now);
  deps.log.info({ budgetId: row.id, limitNano, by: context.actor.keyId }, 'budget created');
  deps.nudge();
  const stored = await deps.store.budgets.get(row.id, now);
  if (stored === null) throw new Error('the database did not return the stored budget');
  return stored;
}

async function checkScope(deps: Deps, input: BudgetCreate): Promise<void> {
  const { period, timezone, starts_at: startsAt, key_id: keyId, route } = input;
  if (!isTimeZone(timezone)) {
    throw invalid('timezone', 'name a time zone as the IANA does, such as Europe/Berlin, or UTC');
  }
  if (startsAt != null && period !== 'total') {
    throw invalid(
      'starts_at',
      `a budget for each ${period} begins with the calendar; leave it out, or use period 'total'`,
    );
  }
  if (startsAt != null && startsAt > unixSeconds(deps.clock)) {
    throw invalid('starts_at', 'it lies ahead; a budget holds from now on at the latest');
  }
  if (keyId != null && (await deps.store.keys.get(keyId)) === null) {
    throw invalid('key_id', `there is no key '${keyId}'; GET /v1/keys lists them`);
  }
  if (route === INLINE_ROUTE) {
    throw invalid(
      'route',
      `'${INLINE_ROUTE}' stands for routes that requests write out themselves; name a stored route`,
    );
  }
}

/** Says what the budget is about. */
function defaultName({ tenant_id: tenant, key_id: key, tag, route, period }: BudgetCreate): string {
  const about = [
    tenant != null && `tenant ${tenant}`,
    key != null && key,
    tag != null && `${tag.key}=${tag.value}`,
    route != null && `route ${route}`,
  ].filter((part) => part !== false);
  return `${about.join(', ') || 'everything'}, ${period === 'total' ? 'in total' : `each ${period}`}`.slice(0, 128);
}
