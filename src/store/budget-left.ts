/** SQL expressions about what budgets have left. */

/** What is held of budget `budget` for everybody but `holder`; both are SQL. */
export function heldFor(budget: string, holder: string): string {
  return `coalesce((
    select sum(max(0, o.amount_nano - o.used_nano)) from budget_holds o
    where o.budget_id = ${budget} and o.holder <> ${holder}), 0)`;
}

/** A number that JavaScript holds exactly: no budget is larger, and what is below zero is nothing. */
const LEAST = -9_007_199_254_740_991;

/**
 * What a batch may still spend: the least that the budgets which cover it have left in their present period beside what is
 * held for others. Null when none covers it. `batch` and `now` are SQL, `now` appears twice.
 */
export function leftFor(batch: string, now: string): string {
  return `(
    select max(${LEAST}, min(b.limit_nano - p.spent_nano - ${heldFor('b.id', 'h.holder')}))
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
