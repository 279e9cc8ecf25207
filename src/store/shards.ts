import { and, asc, eq, gt, lt, sql } from '#drizzle';
import type { PausedTarget } from '../core/shard-alert.ts';
import type { ShardState } from '../core/shard-state.ts';
import type { PartRow } from '../ports/store-segments.ts';
import type {
  AskedLine,
  ShardAlertCount,
  ShardChange,
  ShardCommit,
  ShardLease,
  ShardRow,
  StoreShards,
  SubmittedShard,
} from '../ports/store-shards.ts';
import { areAsking, askLines, listAskedLines } from './asked-lines.ts';
import type { Database } from './client.ts';
import { adoptShard, IS_REMEMBERED, knownTokens } from './lost-submits.ts';
import { shards } from './schema/shards.ts';
import { accountsOf, listSubmitted } from './shard-accounts.ts';
import { alertCounts, pausedTargets } from './shard-alerts.ts';
import { commitShard } from './shard-commit.ts';
import { claimDueShards, saveShard, settleShard, shardColumns } from './shard-work.ts';
import { sparePartsTouching } from './spare-parts.ts';
import { insertShards, keepExisting } from './work-rows.ts';

export class LibsqlShards implements StoreShards {
  readonly #db: Database;

  /** Built once: whoever looks at a batch asks for its shards. */
  readonly #ofBatch;

  constructor(db: Database) {
    this.#db = db;
    // Money comes as text, as the client refuses integers beyond 2^53. One look at the entries tells all three.
    const sums = `json_array(cast(coalesce(sum(amount_nano), 0) as text),
      coalesce(sum(iif(amount_nano is null, sign, 0)), 0), coalesce(sum(entry), 0))`;
    const accounts = sql`(select ${sql.raw(`${sums} from (${accountsOf('shards.id')})`)})`.mapWith(readAccounts);
    this.#ofBatch = db.orm
      .select({ ...shardColumns, accounts })
      .from(shards)
      .where(and(eq(shards.batchId, sql.placeholder('batchId')), sql.raw(`not coalesce(${IS_REMEMBERED}, 0)`)))
      .orderBy(asc(shards.firstLine), asc(shards.lane), asc(shards.candidate), asc(shards.id))
      .prepare();
  }

  async installation(): Promise<string> {
    const [row] = await this.#db.read({ sql: 'select word from installation', args: [] });
    if (row === undefined) throw new Error('the database has lost the row of table installation');
    return String(row.word);
  }

  async insertMany(rows: readonly ShardRow[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#db.write([keepExisting(insertShards(rows))]);
  }

  async get(id: string): Promise<ShardRow | null> {
    const [row] = await this.#db.orm.select(shardColumns).from(shards).where(eq(shards.id, id));
    return row ?? null;
  }

  async list(batchId: string): Promise<(ShardRow & { amountNano: bigint; unpriced: number; entries: number })[]> {
    const rows = await this.#ofBatch.all({ batchId });
    return rows.map(({ accounts, ...row }) => ({ ...row, ...accounts }));
  }

  /** Its id and a full stop begin theirs; a slash is the next character. */
  cutFrom(id: string): Promise<ShardRow[]> {
    return this.#db.orm
      .select(shardColumns)
      .from(shards)
      .where(and(gt(shards.id, `${id}.`), lt(shards.id, `${id}/`)));
  }

  submitted(query: Parameters<StoreShards['submitted']>[0]): Promise<SubmittedShard[]> {
    return listSubmitted(this.#db, query);
  }

  claimDue(query: Parameters<StoreShards['claimDue']>[0]): Promise<ShardLease[]> {
    return claimDueShards(this.#db, query);
  }

  save(id: string, leaseToken: string, change: ShardChange): Promise<boolean> {
    return saveShard(this.#db, { id, token: leaseToken }, change);
  }

  async release(id: string, leaseToken: string): Promise<void> {
    await this.#db.orm
      .update(shards)
      .set({ leaseToken: null, leaseUntil: null })
      .where(and(eq(shards.id, id), eq(shards.leaseToken, leaseToken)));
  }

  commit(commit: ShardCommit): ReturnType<StoreShards['commit']> {
    return commitShard(this.#db, commit);
  }

  spares(batchId: string, firstLine: number, lastLine: number): Promise<PartRow[]> {
    return sparePartsTouching(this.#db, batchId, firstLine, lastLine);
  }

  async ledgeredLines(shardId: string): Promise<Set<number>> {
    const rows = await this.#db.read({
      sql: 'select line from ledger_entries where shard_id = ? and line is not null',
      args: [shardId],
    });
    return new Set(rows.map((row) => Number(row.line)));
  }

  settle(id: string, leaseToken: string, change: Parameters<StoreShards['settle']>[2]): Promise<boolean> {
    return settleShard(this.#db, { id, token: leaseToken }, change);
  }

  ask(...query: Parameters<StoreShards['ask']>): ReturnType<StoreShards['ask']> {
    return askLines(this.#db, ...query);
  }

  areAsking(ids: readonly string[]): Promise<boolean> {
    return areAsking(this.#db, ids);
  }

  askedLines(shardId: string): Promise<AskedLine[]> {
    return listAskedLines(this.#db, shardId);
  }

  async load(provider: string, model: string | null): Promise<{ jobs: number; tokens: number }> {
    const [row] = await this.#db.read({
      sql: `select count(*) as jobs, coalesce(sum(tokens), 0) as tokens from shards
            where provider = ?1 and (state = 'running' or (state = 'abandoned' and provider_batch_id is not null)) and ended_at is null and (?2 is null or model = ?2)`,
      args: [provider, model],
    });
    return { jobs: Number(row?.jobs), tokens: Number(row?.tokens) };
  }

  knownTokens(tokens: readonly string[]): Promise<Set<string>> {
    return knownTokens(this.#db, tokens);
  }

  adopt(...query: Parameters<StoreShards['adopt']>): Promise<boolean> {
    return adoptShard(this.#db, ...query);
  }

  async recover(query: { now: number } | { others: string }): Promise<number> {
    const [ended, argument] = 'now' in query ? ['lease_until <= ?', query.now] : ['lease_token <> ?', query.others];
    const [recovered] = await this.#db.write([
      {
        sql: `update shards set lease_token = null, lease_until = null where lease_token is not null and ${ended}`,
        args: [argument],
      },
    ]);
    return recovered?.rowsAffected ?? 0;
  }

  async countByState(): Promise<{ provider: string; state: ShardState; count: number }[]> {
    const rows = await this.#db.read({
      sql: 'select provider, state, count(*) as count from shards group by provider, state order by provider, state',
      args: [],
    });
    return rows.map((row) => ({
      provider: String(row.provider),
      state: row.state as ShardState,
      count: Number(row.count),
    }));
  }

  async renew(ids: readonly string[], leaseToken: string, until: number): Promise<void> {
    await this.#db.write([
      {
        sql: `update shards set lease_until = max(lease_until, ?)
              where id in (select value from json_each(?)) and lease_token = ?`,
        args: [until, JSON.stringify(ids), leaseToken],
      },
    ]);
  }

  pausedTargets(now: number): Promise<PausedTarget[]> {
    return pausedTargets(this.#db, now);
  }

  alerts(query: Parameters<StoreShards['alerts']>[0]): Promise<ShardAlertCount[]> {
    return alertCounts(this.#db, query);
  }

  async hasten(batchId: string, now: number): Promise<void> {
    await this.#db.write([
      {
        sql: `update shards set next_at = ? where batch_id = ? and state in ('running', 'collecting') and next_at > ?`,
        args: [now, batchId, now],
      },
    ]);
  }
}

function readAccounts(json: string): { amountNano: bigint; unpriced: number; entries: number } {
  const [amount, unpriced, entries] = JSON.parse(json) as [string, number, number];
  return { amountNano: BigInt(amount), unpriced, entries };
}
