/** SQL expressions about what budgets have left. */

/** Leases of a holder: under its own word, or under one that continues it with a slash, which is the sign before `0`. */
export function heldBy(token: string, holder: string): string {
  return `${token} >= ${holder} and ${token} < ${holder} || '0'`;
}

/**
 * What servers and provider batches may have under way of a batch, but for `taker`; all is SQL. A server's allowance ends
 * with its last lease, and a provider batch's share with the provider batch: what a crash leaves comes back by itself.
 */
export function underWay(batch: string, taker: string): string {
  return `(coalesce((
      select sum(a.amount_nano) from budget_allowances a
      where a.batch_id = ${batch} and a.taker <> ${taker} and exists (
        select 1 from segments g
        where g.batch_id = a.batch_id and g.state = 'leased' and ${heldBy('g.token', 'a.taker')})), 0)
    + coalesce((
      select sum(x.bound_nano) from budget_shards x cross join shards y
      where x.batch_id = ${batch} and x.shard_id <> ${taker} and y.id = x.shard_id and y.state <> 'done'), 0))`;
}

/**
 * What is held of budget `budget` for everybody but `holder`; both are SQL. With `drawn`, a batch that has more under way
 * than is left of its hold counts by that.
 */
export function heldFor(budget: string, holder: string, { drawn }: { drawn: boolean }): string {
  const held = drawn ? heldOf('o') : 'max(0, o.amount_nano - o.used_nano)';
  return `coalesce((
    select sum(${held}) from budget_holds o where o.budget_id = ${budget} and o.holder <> ${holder}), 0)`;
}

/** What hold `hold` keeps from others. */
export function heldOf(hold: string): string {
  const rest = `${hold}.amount_nano - ${hold}.used_nano`;
  return `max(0, ${rest}, iif(${hold}.kind = 'batch', ${underWay(`${hold}.holder`, "''")}, 0))`;
}

/** A number that JavaScript holds exactly: no budget is larger, and what is below zero is nothing. */
const LEAST = -9_007_199_254_740_991;

/**
 * What a batch may still spend: the least that the budgets which cover it have left in their present period beside what is
 * held for others, and with `drawn` beside what others have under way. Null when none covers it. `batch` and `now` are SQL,
 * `now` appears twice.
 */
export function leftFor(batch: string, now: string, { drawn }: { drawn: boolean }): string {
  return `(
    select max(${LEAST}, min(b.limit_nano - p.spent_nano - ${heldFor('b.id', 'h.holder', { drawn })}))
    from budget_holds h cross join budgets b cross join budget_periods p
    where h.holder = ${batch} and b.id = h.budget_id
      and p.budget_id = b.id and p.starts_at <= ${now} and p.ends_at > ${now})`;
}

/** Whether budget `b` covers a batch or call, by named parameters; `at` is the number of the first of four. */
export function coversAsk(at: number): string {
  return `b.key_id in ('', coalesce(?${at + 1}, '')) and b.tenant_id in ('', ?${at})
    and (b.route is null or b.route in (select value from json_each(?${at + 2})))
    and (b.tag_key is null or exists (
      select 1 from json_each(?${at + 3}) pair where pair.key = b.tag_key and pair.value = b.tag_value))`;
}
