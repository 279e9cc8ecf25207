import { and, eq, getTableColumns, inArray, sql } from '#drizzle';
import { LIVE_STATUSES } from '../core/batch-state.ts';
import { OPEN_SHARD_STATES, type ShardState, shardStatesBefore } from '../core/shard-state.ts';
import type { ShardChange, ShardLease, StoreShards } from '../ports/store-shards.ts';
import { forgetAskedLines } from './asked-lines.ts';
import { releaseShard } from './budget-holds.ts';
import type { Database, Statement } from './client.ts';
import { endWork } from './result-write.ts';
import { shards } from './schema/shards.ts';
import { literalList } from './text.ts';
import { insertSegments, insertShards } from './work-rows.ts';

/** Who works on which shard: every change below holds only while the token is the shard's. */
interface Lease {
  id: string;
  token: string;
}

const { leaseToken: _token, leaseUntil: _until, ...columns } = getTableColumns(shards);

/** What is read of a shard. */
export const shardColumns = columns;

/** The ids of batches with provider batches that were given up and whose end is yet to come; live shards alone are read. */
export const BATCHES_OF_ABANDONED = `select batch_id from shards where state = 'abandoned' and (state <> 'done' or cleaned_at is null)`;

/** See StoreShards.claimDue. A lease that is still running is left alone whoever holds it. */
export async function claimDueShards(
  database: Database,
  { now, until, token, limit, exclude, paused }: Parameters<StoreShards['claimDue']>[0],
): Promise<ShardLease[]> {
  if (limit <= 0) return [];
  const due = sql`select s.rowid from shards s
    where s.next_at <= ${now} and (s.state <> 'done' or s.cleaned_at is null)
      and (s.lease_until is null or s.lease_until <= ${now})
      and s.provider not in (select value from json_each(${JSON.stringify(exclude)}))
      and (s.state <> 'pending' or exists (
        select 1 from batches b
        where b.id = s.batch_id and b.status = 'in_progress' and b.stop is null and b.paused_at is null)
        and not exists (
          select 1 from json_each(${JSON.stringify(paused)}) p
          where p.value ->> 'provider' = s.provider and coalesce(p.value ->> 'model', s.model) = s.model))
    order by s.next_at, s.rowid limit ${limit}`;
  const rows = await database.orm
    .update(shards)
    .set({ leaseToken: token, leaseUntil: until })
    .where(sql`rowid in (${due})`)
    .returning({ ...shardColumns, position: sql<number>`rowid`.as('position') });
  return rows
    .sort((left, right) => left.nextAt - right.nextAt || left.position - right.position)
    .map(({ position: _position, ...row }) => ({ ...row, leaseToken: token, leaseUntil: until }));
}

/** See StoreShards.save. */
export async function saveShard(database: Database, lease: Lease, change: ShardChange): Promise<boolean> {
  const state = change.state === undefined ? undefined : inArray(shards.state, statesBeforeSave(change.state));
  const saved = await database.orm
    .update(shards)
    .set({ ...change, leaseToken: lease.token })
    .where(and(eq(shards.id, lease.id), eq(shards.leaseToken, lease.token), state))
    .returning({ id: shards.id });
  if (saved.length === 0) {
    await refuseMove(database, lease, change.state);
    return false;
  }
  // Two that wait for a provider's room would each wait for what the other may come to.
  if (change.state === 'pending') await database.write([releaseShard(lease.id)]);
  return true;
}

function statesBeforeSave(to: ShardState): ShardState[] {
  const isOpen = (state: ShardState) => OPEN_SHARD_STATES.includes(state);
  return [to, ...shardStatesBefore(to).filter((from) => isOpen(to) || !isOpen(from))];
}

/** See StoreShards.settle. One that happened, though its answer was lost, is recognised by the shard's state. */
export async function settleShard(
  database: Database,
  lease: Lease,
  { state, now, nextAt, followUp }: Parameters<StoreShards['settle']>[2],
): Promise<boolean> {
  const fence: Statement = {
    sql: `exists (select 1 from shards
            where id = ? and lease_token = ? and state in (${literalList(shardStatesBefore(state))}))`,
    args: [lease.id, lease.token],
  };
  const advanceBatch: Statement = {
    sql: `update batches set ${endWork('work.ended')}
          from (select batch_id, (state in (${literalList(OPEN_SHARD_STATES)})) - ? as ended from shards where id = ?) work
          where batches.id = work.batch_id and batches.status in (${literalList(LIVE_STATUSES)}) and work.ended <> 0`,
    args: [now, followUp.segments.length + followUp.shards.length, lease.id],
  };
  const moveShard: Statement = {
    sql: `update shards set state = ?, next_at = ?, ended_at = iif(? = 'done', coalesce(ended_at, ?), ended_at) where id = ?`,
    args: [state, nextAt, state, now, lease.id],
  };
  const settled = await database.writeIf(fence, [
    advanceBatch,
    moveShard,
    forgetAskedLines(lease.id),
    ...(followUp.segments.length === 0 ? [] : [insertSegments(followUp.segments, true)]),
    ...(followUp.shards.length === 0 ? [] : [insertShards(followUp.shards)]),
  ]);
  if (settled !== null) return true;
  return (await refuseMove(database, lease, state)) === state;
}

/** Throws when the lease is held, so that it was the state that forbade the move; answers the state it already has. */
async function refuseMove(database: Database, lease: Lease, to: ShardState | undefined): Promise<ShardState | null> {
  const [held] = await database.orm
    .select({ state: shards.state })
    .from(shards)
    .where(and(eq(shards.id, lease.id), eq(shards.leaseToken, lease.token)));
  if (held === undefined) return null;
  if (held.state === to) return held.state;
  throw new Error(`shard ${lease.id} cannot move from ${held.state} to ${to}`);
}
