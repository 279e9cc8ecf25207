import type { BudgetAlert } from '../ports/store-budgets.ts';
import { BUDGET_COLUMNS, toBudgetRow } from './budget-rows.ts';
import type { Database } from './client.ts';

/** Entries of the last moments of a period may come when it is over: its thresholds are looked at so much longer. */
const LATE_SECONDS = 3_600;

/** See StoreBudgets.takeAlerts. */
export async function takeAlerts(database: Database, now: number, limit: number): Promise<BudgetAlert[]> {
  await database.write([
    {
      sql: `insert into budget_alerts (budget_id, starts_at, threshold, id, spent_nano, limit_nano, created_at)
            select b.id, p.starts_at, t.value, 'evt_' || lower(hex(randomblob(18))), p.spent_nano, b.limit_nano, ?1
            from budgets b cross join budget_periods p cross join json_each(b.thresholds) t
            where p.budget_id = b.id and p.starts_at <= ?1 and p.starts_at >= coalesce((
                select max(q.starts_at) from budget_periods q
                where q.budget_id = b.id and q.starts_at <= ?1 - ${LATE_SECONDS}), 0)
              and p.spent_nano > 0 and p.spent_nano * 100 >= t.value * b.limit_nano
            on conflict (budget_id, starts_at, threshold) do nothing`,
      args: [now],
    },
  ]);
  const rows = await database.read({
    sql: `select ${BUDGET_COLUMNS}, a.id as alert_id, a.threshold, a.starts_at, p.ends_at, a.created_at as at,
            cast(a.spent_nano as text) as spent, a.limit_nano as limit_then
          from budget_alerts a join budgets b on b.id = a.budget_id
          join budget_periods p on p.budget_id = a.budget_id and p.starts_at = a.starts_at
          where a.told_at is null order by a.created_at, b.seq, a.starts_at, a.threshold limit ?`,
    args: [limit],
  });
  return rows.map((row) => ({
    id: String(row.alert_id),
    budget: toBudgetRow(row),
    period: { startsAt: Number(row.starts_at), endsAt: Number(row.ends_at) },
    threshold: Number(row.threshold),
    spentNano: BigInt(String(row.spent)),
    limitNano: Number(row.limit_then),
    at: Number(row.at),
  }));
}
