import type { PeriodBounds } from '../core/budget-period.ts';
import type { BudgetRow } from '../ports/store-budgets.ts';
import { ledgeredSum } from './budget-spend.ts';
import type { Database, Statement } from './client.ts';
import { HOUR_SECONDS } from './ledger-rollup.ts';

/** Periods that ended longer before a new one are of no use to anybody: the ledger has what was spent in them. */
const KEPT_SECONDS = 40 * 86_400;

/**
 * Adds a period with what the ledger has of it. The sum of all but the latest entries is made outside of the write, which
 * adds those that came meanwhile: nobody waits for it, and no entry is counted twice or not at all. `before` runs first in
 * the write, and `after` last.
 */
export async function insertPeriod(
  database: Database,
  row: BudgetRow,
  { startsAt, endsAt }: PeriodBounds,
  { before = [], after = [] }: { before?: readonly Statement[]; after?: readonly Statement[] } = {},
): Promise<void> {
  const [last] = await database.read({ sql: 'select coalesce(max(seq), 0) as seq from ledger_entries', args: [] });
  const seq = Number(last?.seq ?? 0);
  const sum = await sumBefore(database, row, { startsAt, endsAt }, seq);
  await database.write([
    ...before,
    {
      sql: `insert into budget_periods (budget_id, starts_at, ends_at, spent_nano)
            select b.id, ?1, ?2, cast(?3 as integer) + ${ledgeredSum('?1', '?2', 'e.seq > ?4')}
            from budgets b where b.id = ?5
            on conflict (budget_id, starts_at) do nothing`,
      args: [startsAt, endsAt, sum, seq, row.id],
    },
    {
      sql: 'delete from budget_periods where budget_id = ? and ends_at <= ?',
      args: [row.id, startsAt - KEPT_SECONDS],
    },
    ...after,
  ]);
}

/** As text: it may be more than a number holds. */
async function sumBefore(
  database: Database,
  { tenantId, keyId, tag, route }: BudgetRow,
  { startsAt, endsAt }: PeriodBounds,
  seq: number,
): Promise<string> {
  // Where the period's entries begin in the order of arrival is known by the hour.
  const places = `e.seq <= ?3 and e.seq >= (select min(first_seq) from ledger_hourly where hour >= ?1 - ?1 % ${HOUR_SECONDS})`;
  const [row] = await database.read({
    sql: `with b as (select ?4 as tenant_id, ?5 as key_id, ?6 as route, ?7 as tag_key, ?8 as tag_value)
          select cast(${ledgeredSum('?1', '?2', places)} as text) as sum from b`,
    args: [startsAt, endsAt, seq, tenantId ?? '', keyId ?? '', route, tag?.key ?? null, tag?.value ?? null],
  });
  return String(row?.sum ?? '0');
}
