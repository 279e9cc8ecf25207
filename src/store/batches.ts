import { and, count, eq, inArray, sql } from '#drizzle';
import { LIVE_STATUSES, statusesBefore } from '../core/batch-state.ts';
import type { BatchControl } from '../ports/batch-control.ts';
import type { BatchListQuery, BatchRow, StoreBatches } from '../ports/store-batches.ts';
import type { HoldAsk } from '../ports/store-budgets.ts';
import type { Scope } from '../ports/store-query.ts';
import { BATCH_STATUSES, type BatchStatus } from '../protocol/batch.ts';
import { listBatchRows, listLiveRows, listSettledHeads } from './batch-list.ts';
import { batchColumns, toBatchRow, toControl, toStoredBatch } from './batch-row.ts';
import { LATEST_STEP, stopBatches } from './batch-stop.ts';
import {
  beginFinalizing,
  claimDueBatches,
  endLeasesOfOthers,
  failBatch,
  finishBatch,
  releaseBatch,
  renewBatches,
  startBatch,
} from './batch-work.ts';
import { hasBudget, insertHolds } from './budget-holds.ts';
import type { Database, Statement } from './client.ts';
import { inScope } from './cursor.ts';
import { rowInsert } from './row-insert.ts';
import { batches } from './schema/batches.ts';
import { literalList } from './text.ts';

const insertBatch = rowInsert(batches, ['seq', 'leaseToken', 'leaseUntil', 'turn', 'dueTurn']);

export class LibsqlBatches implements StoreBatches {
  readonly #db: Database;

  /** Built once: clients ask for their batches all the time, and to build a query costs more than to run it. */
  readonly #one;
  readonly #own;

  constructor(db: Database) {
    this.#db = db;
    const from = () => db.orm.select(batchColumns).from(batches);
    const hasId = eq(batches.id, sql.placeholder('id'));
    this.#one = from().where(hasId).prepare();
    this.#own = from()
      .where(and(hasId, eq(batches.tenantId, sql.placeholder('tenantId'))))
      .prepare();
  }

  async insert(row: BatchRow): Promise<BatchRow> {
    await this.#db.write([insertBatch(toStoredBatch(row))]);
    return this.#stored(row.id);
  }

  async insertWithin(
    row: BatchRow,
    { liveMax, hold }: Parameters<StoreBatches['insertWithin']>[1],
  ): Promise<BatchRow | null> {
    const added = await this.#db.writeIf(hasRoom(row, liveMax, hold), [
      insertBatch(toStoredBatch(row)),
      insertHolds(hold, row.createdAt, { kind: 'batch', expiresAt: null, where: 'true' }),
    ]);
    // Mostly it is as it was given; under an Idempotency-Key it may have been there already.
    return added === null ? null : added[0]?.rowsAffected === 1 ? row : this.#stored(row.id);
  }

  async get(scope: Scope, id: string): Promise<BatchRow | null> {
    const row = scope === 'all' ? await this.#one.get({ id }) : await this.#own.get({ id, tenantId: scope.tenantId });
    return row === undefined ? null : toBatchRow(row);
  }

  list(scope: Scope, query: BatchListQuery): Promise<BatchRow[] | null> {
    return listBatchRows(this.#db, scope, query);
  }

  live(scope: Scope, limit: number): Promise<BatchRow[]> {
    return listLiveRows(this.#db, scope, limit);
  }

  settledHeads(query: Parameters<StoreBatches['settledHeads']>[0]): ReturnType<StoreBatches['settledHeads']> {
    return listSettledHeads(this.#db, query);
  }

  async control(id: string): Promise<BatchControl | null> {
    const [row] = await this.#db.read({ sql: 'select status, stop, paused_at from batches where id = ?', args: [id] });
    return row === undefined ? null : toControl(row);
  }

  claimDue(query: Parameters<StoreBatches['claimDue']>[0]): Promise<BatchRow[]> {
    return claimDueBatches(this.#db, query);
  }

  renew(ids: readonly string[], token: string, until: number): Promise<void> {
    return renewBatches(this.#db, ids, token, until);
  }

  recover({ others }: { others: string }): Promise<void> {
    return endLeasesOfOthers(this.#db, others);
  }

  release(...[id, token, nextAt, estimate]: Parameters<StoreBatches['release']>): Promise<void> {
    return releaseBatch(this.#db, { id, token }, nextAt, estimate);
  }

  start(id: string, token: string, change: Parameters<StoreBatches['start']>[2]): Promise<boolean> {
    return startBatch(this.#db, { id, token }, change);
  }

  fail(id: string, token: string, change: Parameters<StoreBatches['fail']>[2]): Promise<boolean> {
    return failBatch(this.#db, { id, token }, change);
  }

  beginFinalizing(id: string, token: string, now: number): Promise<boolean> {
    return beginFinalizing(this.#db, { id, token }, now);
  }

  finish(id: string, token: string, change: Parameters<StoreBatches['finish']>[2]): Promise<boolean> {
    return finishBatch(this.#db, { id, token }, change);
  }

  async cancel(scope: Scope, id: string, now: number): Promise<BatchRow | null> {
    const [cancelled] = await this.#db.orm
      .update(batches)
      .set({
        status: 'cancelling',
        stop: 'cancelled',
        cancellingAt: sql`max(${now}, ${sql.raw(LATEST_STEP)})`,
        nextAt: now,
      })
      .where(
        and(eq(batches.id, id), inScope(batches, scope), inArray(batches.status, [...statusesBefore('cancelling')])),
      )
      .returning(batchColumns);
    return cancelled === undefined ? this.get(scope, id) : toBatchRow(cancelled);
  }

  async deleteFromFront(id: string, now: number): Promise<void> {
    await this.#db.orm
      .update(batches)
      .set({ frontDeletedAt: sql`coalesce(${batches.frontDeletedAt}, ${now})` })
      .where(and(eq(batches.id, id), sql`${batches.status} not in (${sql.raw(literalList(LIVE_STATUSES))})`));
  }

  async setPaused(scope: Scope, id: string, pausedAt: number | null): Promise<BatchRow | null> {
    const held = pausedAt === null ? null : sql`coalesce(${batches.pausedAt}, ${pausedAt})`;
    const [changed] = await this.#db.orm
      .update(batches)
      .set({ pausedAt: held })
      .where(and(eq(batches.id, id), inScope(batches, scope), inArray(batches.status, ['validating', 'in_progress'])))
      .returning(batchColumns);
    return changed === undefined ? this.get(scope, id) : toBatchRow(changed);
  }

  async stopExpired(now: number, limit: number): Promise<string[]> {
    const [stopped] = await this.#db.write([
      {
        sql: `update batches set stop = 'expired', next_at = ?
              where seq in (
                select seq from batches
                where status = 'in_progress' and stop is null and expires_at <= ?
                order by expires_at limit ?)
              returning id`,
        args: [now, now, limit],
      },
    ]);
    return (stopped?.rows ?? []).map((row) => String(row.id));
  }

  async stopWithoutInput(id: string, now: number): Promise<void> {
    await this.#db.write([stopBatches(now, 'id = ?2', [id], 'input_lost')]);
  }

  async #stored(id: string): Promise<BatchRow> {
    const stored = await this.get('all', id);
    if (stored === null) throw new Error('the database did not return the stored batch');
    return stored;
  }

  async countByStatus(): Promise<Record<BatchStatus, number>> {
    const rows = await this.#db.orm
      .select({ status: batches.status, count: count() })
      .from(batches)
      .groupBy(batches.status);
    const counts = Object.fromEntries(BATCH_STATUSES.map((status) => [status, 0])) as Record<BatchStatus, number>;
    for (const row of rows) counts[row.status] = row.count;
    return counts;
  }
}

/** The row is there already; or its key has fewer live batches than it may, and its budgets have room for it. */
function hasRoom({ id, keyId, createdAt }: BatchRow, liveMax: number | null, hold: HoldAsk): Statement {
  const budget = hasBudget(hold, createdAt);
  const next = budget.args.length;
  const isBelowMost = `(?${next + 1} is null
    or (select count(*) from batches where key_id = ?${next + 2} and status in (${literalList(LIVE_STATUSES)})) < ?${next + 1})`;
  return {
    sql: `exists (select 1 from batches where id = ?${next + 3}) or (${isBelowMost} and ${budget.sql})`,
    args: [...budget.args, liveMax, keyId, id],
  };
}
