import type { CallHoldAsk, HoldAsk, StoreBudgets } from '../ports/store-budgets.ts';
import { coversAsk, heldFor, leftFor } from './budget-left.ts';
import type { Argument, Database, Statement } from './client.ts';

/** Of budget `b` in its period `p`: whether an ask of `?4` nano-USD is too much. A batch that may be stopped needs only a start. */
const TOO_MUCH = `case b.on_insufficient
  when 'reject' then p.spent_nano + ${heldFor('b.id', '?2')} + ?4 > b.limit_nano
  else p.spent_nano + ${heldFor('b.id', '?2')} >= b.limit_nano end`;

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
    sql: `insert into budget_holds (holder, budget_id, kind, amount_nano, used_nano, created_at, expires_at)
          select ?2, b.id, '${kind}', case b.on_insufficient
            when 'reject' then ?4
            else max(0, min(?4, b.limit_nano - p.spent_nano - ${heldFor('b.id', '?2')})) end, 0, ?1, ?3
          from ${COVERING} and ${where}
          on conflict (holder, budget_id) do nothing`,
    args: argsOf(ask, now, expiresAt),
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

/** Ends all that is held for a batch and its provider batches. */
export function deleteBatchHolds(batchId: string): Statement[] {
  return [...deleteHolds([batchId]), { sql: 'delete from budget_shards where batch_id = ?', args: [batchId] }];
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
  const underWay = `coalesce((
    select sum(x.bound_nano) from budget_shards x cross join shards s
    where x.batch_id = ?2 and x.shard_id <> ?1 and s.id = x.shard_id and s.state <> 'done'), 0)`;
  const [, asked] = await database.write([
    {
      sql: `insert into budget_shards (shard_id, batch_id, bound_nano)
            select ?1, ?2, ?3 where coalesce(?3 + ${underWay} <= ${leftFor('?2', '?4')}, true)
            on conflict (shard_id) do nothing`,
      args: [id, batchId, boundNano, now],
    },
    {
      sql: `select exists (select 1 from budget_shards where shard_id = ?1) as fits, ${underWay} > 0 as waits`,
      args: [id, batchId],
    },
  ]);
  const [row] = asked?.rows ?? [];
  if (Number(row?.fits) === 1) return 'fits';
  return Number(row?.waits) === 1 ? 'full' : 'never';
}
