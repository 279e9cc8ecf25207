import { LIVE_STATUSES } from '../core/batch-state.ts';
import type { BudgetRow, CallHoldAsk, HoldAsk, StoreBudgets } from '../ports/store-budgets.ts';
import { coversAsk, heldFor, heldOf, leftFor, underWay } from './budget-left.ts';
import type { Argument, Database, Statement } from './client.ts';
import { literalList } from './text.ts';

/** Of budget `b` in its period `p`: whether an ask of `?4` nano-USD is too much. A batch that may be stopped needs only a start. */
const HELD = heldFor('b.id', '?2', { drawn: true });
const TOO_MUCH = `case b.on_insufficient
  when 'reject' then p.spent_nano + ${HELD} + ?4 > b.limit_nano
  else p.spent_nano + ${HELD} >= b.limit_nano end`;

/** Budgets `b` that cover the ask, with their present period `p`. Parameters: 1 now, 2 holder, 3 expiry, 4 amount, 5–8 spender. */
const COVERING = `budgets b cross join budget_periods p
  where ${coversAsk(5)} and p.budget_id = b.id and p.starts_at <= ?1 and p.ends_at > ?1`;

function argsOf(ask: HoldAsk, now: number, expiresAt: number | null): Argument[] {
  const { holder, amountNano, tenantId, keyId, routes, tags } = ask;
  const spender = [tenantId, keyId, JSON.stringify(routes), JSON.stringify(tags ?? {})];
  return [now, holder, expiresAt, amountNano, ...spender];
}

/** The condition that every budget which covers the ask has room for it. */
export function hasBudget(ask: HoldAsk, now: number): Statement {
  return { sql: `not exists (select 1 from ${COVERING} and ${TOO_MUCH})`, args: argsOf(ask, now, null) };
}

/** Holds the ask at every budget that covers it, of those that stop their batches at most what they have left. */
export function insertHolds(
  ask: HoldAsk,
  now: number,
  { kind, expiresAt, where }: { kind: 'batch' | 'call'; expiresAt: number | null; where: string },
): Statement {
  return {
    sql: `insert into budget_holds (holder, budget_id, kind, amount_nano, granted_nano, used_nano, created_at, expires_at)
          select ?2, id, '${kind}', amount, amount, 0, ?1, ?3 from (
            select b.id, case b.on_insufficient
              when 'reject' then ?4
              else max(0, min(?4, b.limit_nano - p.spent_nano - ${HELD})) end as amount
            from ${COVERING} and ${where})
          where true
          on conflict (holder, budget_id) do nothing`,
    args: argsOf(ask, now, expiresAt),
  };
}

/** Holds nothing for the running batches that a new budget covers: they are stopped when it has nothing left. */
export function coverLiveBatches({ id, createdAt }: BudgetRow): Statement {
  return coverBatches(`b.id = ?1 and w.status in (${literalList(LIVE_STATUSES)})`, id, createdAt);
}

/** The same of a batch whose lanes are known now, and with them its routes: of budgets that were made before they were. */
export function coverStartedBatch(batchId: string, now: number): Statement {
  return coverBatches('w.id = ?1', batchId, now);
}

/** Of budgets `b` and batches `w`, those that `which` names by `?1`. What is held already stays. */
function coverBatches(which: string, id: string, now: number): Statement {
  return {
    sql: `insert into budget_holds (holder, budget_id, kind, amount_nano, granted_nano, used_nano, created_at, expires_at)
          select w.id, b.id, 'batch', 0, 0, 0, ?2, null from budgets b cross join batches w
          where ${which}
            and b.key_id in ('', coalesce(w.key_id, '')) and b.tenant_id in ('', w.tenant_id)
            and (b.route is null or b.route = w.config_name
              or exists (select 1 from json_each(w.lanes) lane where lane.value ->> 'route' = b.route))
            and (b.tag_key is null or exists (
              select 1 from json_each(coalesce(w.metadata, '{}')) pair
              where pair.key = b.tag_key and pair.value = b.tag_value))
          on conflict (holder, budget_id) do nothing`,
    args: [id, now],
  };
}

/**
 * What a budget holds for batches is at most what it has left: where its limit was lowered, the oldest keep what they hold,
 * and those for which nothing is left are stopped. Otherwise each would be, for what the others hold.
 */
export function fitHolds(budgetId: string, now: number): Statement {
  const rest = 'max(0, h.amount_nano - h.used_nano)';
  const calls =
    "(select sum(c.amount_nano - c.used_nano) from budget_holds c where c.budget_id = b.id and c.kind = 'call')";
  const earlier = `coalesce(sum(${rest}) over (order by h.created_at, h.rowid rows between unbounded preceding and 1 preceding), 0)`;
  return {
    sql: `update budget_holds set amount_nano = fit.amount from (
            select h.rowid as place,
              h.used_nano + max(0, min(${rest}, b.limit_nano - p.spent_nano - coalesce(${calls}, 0) - ${earlier})) as amount
            from budget_holds h cross join budgets b cross join budget_periods p
            where h.budget_id = ?1 and h.kind = 'batch' and b.id = h.budget_id
              and p.budget_id = b.id and p.starts_at <= ?2 and p.ends_at > ?2) fit
          where budget_holds.rowid = fit.place and budget_holds.amount_nano > fit.amount`,
    args: [budgetId, now],
  };
}

/**
 * What a lowered limit took from the holds of batches is theirs again as far as there is room beside everything that is held,
 * the oldest first: others would be given it, and the batches be stopped for them.
 */
export function restoreHolds(now: number): Statement {
  const has = 'max(h.amount_nano, h.used_nano)';
  const lack = `max(0, h.granted_nano - ${has})`;
  const free = `b.limit_nano - p.spent_nano - (select sum(${heldOf('o')}) from budget_holds o where o.budget_id = b.id)`;
  const earlier = `coalesce(sum(${lack}) over (
    partition by h.budget_id order by h.created_at, h.rowid rows between unbounded preceding and 1 preceding), 0)`;
  return {
    sql: `update budget_holds set amount_nano = again.amount from (
            select h.rowid as place, ${has} + min(${lack}, ${free} - ${earlier}) as amount
            from budget_holds h cross join budgets b cross join budget_periods p
            where h.kind = 'batch' and h.amount_nano < h.granted_nano and b.id = h.budget_id
              and p.budget_id = b.id and p.starts_at <= ?1 and p.ends_at > ?1) again
          where budget_holds.rowid = again.place and budget_holds.amount_nano < again.amount`,
    args: [now],
  };
}

/** Ends what is held for batches or calls. */
export function deleteHolds(holders: readonly string[]): Statement[] {
  if (holders.length === 0) return [];
  return [
    {
      sql: 'delete from budget_holds where holder in (select value from json_each(?))',
      args: [JSON.stringify(holders)],
    },
  ];
}

/** Ends all that is held for a batch, its servers and its provider batches. */
export function deleteBatchHolds(batchId: string): Statement[] {
  const ofBatch = ['budget_allowances', 'budget_shards'].map((table) => ({
    sql: `delete from ${table} where batch_id = ?`,
    args: [batchId],
  }));
  return [...deleteHolds([batchId]), ...ofBatch];
}

/** What a provider batch may still come to is less by the entries of this write. */
export function useShard(shardId: string, amountNano: bigint): Statement[] {
  if (amountNano === 0n) return [];
  return [
    {
      sql: 'update budget_shards set bound_nano = max(0, bound_nano - ?) where shard_id = ?',
      args: [amountNano, shardId],
    },
  ];
}

/** Ends what is set aside for a provider batch: nothing of it is at the provider. */
export function releaseShard(shardId: string): Statement {
  return { sql: 'delete from budget_shards where shard_id = ?', args: [shardId] };
}

/** See StoreBudgets.holdCalls. */
export async function holdCalls(database: Database, asks: readonly CallHoldAsk[], now: number): Promise<boolean[]> {
  if (asks.length === 0) return [];
  // Each sees what those before it in the same write hold.
  const outcomes = await database.write(
    asks.flatMap((ask) => {
      const { sql, args } = hasBudget(ask, now);
      return [
        insertHolds(ask, now, { kind: 'call', expiresAt: ask.expiresAt, where: sql }),
        { sql: `select ${sql} or exists (select 1 from budget_holds where holder = ?2) as ok`, args },
      ];
    }),
  );
  return asks.map((_, index) => Number(outcomes[index * 2 + 1]?.rows[0]?.ok) === 1);
}

/** See StoreBudgets.holdShard. */
export async function holdShard(
  database: Database,
  { id, batchId, boundNano }: Parameters<StoreBudgets['holdShard']>[0],
  now: number,
): ReturnType<StoreBudgets['holdShard']> {
  const others = underWay('?2', '?1');
  const [, , asked] = await database.write([
    // What it was given at an earlier try may be there no more.
    releaseShard(id),
    {
      sql: `insert into budget_shards (shard_id, batch_id, bound_nano)
            select ?1, ?2, ?3 where coalesce(?3 + ${others} <= ${leftFor('?2', '?4', { drawn: true })}, true)`,
      args: [id, batchId, boundNano, now],
    },
    {
      sql: `select exists (select 1 from budget_shards where shard_id = ?1) as fits,
              ${others} > 0 or ?3 <= ${leftFor('?2', '?4', { drawn: false })} as waits`,
      args: [id, batchId, boundNano, now],
    },
  ]);
  const [row] = asked?.rows ?? [];
  if (Number(row?.fits) === 1) return 'fits';
  return Number(row?.waits) === 1 ? 'full' : 'never';
}
