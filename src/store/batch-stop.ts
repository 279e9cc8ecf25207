import type { Database, Statement } from './client.ts';

/** The time of a batch's last step so far: whatever a server's clock says, the next step is not before it. */
export const LATEST_STEP = `max(created_at, ${['in_progress_at', 'cancelling_at', 'finalizing_at'].map((column) => `coalesce(${column}, 0)`).join(', ')})`;

/** Tells running batches to stop that still have work ahead; `?1` is the time. */
export function stopBatches(
  now: number,
  where: string,
  args: Statement['args'],
  reason: 'budget' | 'input_lost' = 'budget',
): Statement {
  return {
    sql: `update batches set stop = '${reason}', cancelling_at = max(?1, ${LATEST_STEP}), next_at = ?1
          where seq in (
            select seq from batches where status = 'in_progress' and stop is null and open_segments > 0 and ${where})
          returning id`,
    args: [now, ...args],
  };
}

/** What each budget has left in its present period beside all that is held. */
const LEFT = `
  lefts as materialized (
    select b.id, b.limit_nano - p.spent_nano - coalesce((
      select sum(max(0, o.amount_nano - o.used_nano)) from budget_holds o where o.budget_id = b.id), 0) as nano
    from budgets b cross join budget_periods p
    where p.budget_id = b.id and p.starts_at <= ?1 and p.ends_at > ?1)`;

/** See StoreBudgets.stopExhausted. Each budget is summed once, however many batches it covers. */
export async function stopExhausted(database: Database, now: number, limit: number): Promise<string[]> {
  const stop = stopBatches(
    now,
    `id in (
      select h.holder from budget_holds h cross join lefts
      where h.kind = 'batch' and lefts.id = h.budget_id and lefts.nano + max(0, h.amount_nano - h.used_nano) <= 0)
    limit ?2`,
    [limit],
  );
  const [stopped] = await database.write([{ ...stop, sql: `with ${LEFT} ${stop.sql}` }]);
  return (stopped?.rows ?? []).map((row) => String(row.id));
}
