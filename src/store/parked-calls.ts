import { and, asc, eq, getTableColumns, gte, isNull, or, sql } from '#drizzle';
import type { OpenGroup, ParkedCallRow, StoreParkedCalls, WaitingCalls } from '../ports/store-parked-calls.ts';
import type { Scope } from '../ports/store-query.ts';
import type { Database } from './client.ts';
import { inScope } from './cursor.ts';
import { parkedCalls } from './schema/parked-calls.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

const { seq: _seq, ...columns } = getTableColumns(parkedCalls);
const FOUND_MAX = 1_000;

export class LibsqlParkedCalls implements StoreParkedCalls {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: ParkedCallRow): Promise<boolean> {
    const added = await this.#db.orm.insert(parkedCalls).values(row).onConflictDoNothing().returning({
      id: parkedCalls.id,
    });
    return added.length > 0;
  }

  async get(scope: Scope, id: string): Promise<ParkedCallRow | null> {
    const found = this.#db.orm
      .select(columns)
      .from(parkedCalls)
      .where(and(eq(parkedCalls.id, id), inScope(parkedCalls, scope)));
    return (await found.get()) ?? null;
  }

  async find(tenantId: string, dedupe: string, deliveredSince: number): Promise<ParkedCallRow[]> {
    const takeable = or(isNull(parkedCalls.deliveredAt), gte(parkedCalls.deliveredAt, deliveredSince));
    return this.#db.orm
      .select(columns)
      .from(parkedCalls)
      .where(and(eq(parkedCalls.tenantId, tenantId), eq(parkedCalls.dedupe, dedupe), takeable))
      .orderBy(asc(parkedCalls.seq))
      .limit(FOUND_MAX);
  }

  async waiting(): Promise<WaitingCalls[]> {
    const rows = await this.#db.read({
      sql: `select group_key, count(*) as calls, sum(length(body)) as bytes, min(created_at) as oldest
            from parked_calls where group_id is null group by group_key`,
      args: [],
    });
    return rows.map((row) => ({
      groupKey: String(row.group_key),
      calls: Number(row.calls),
      bytes: Number(row.bytes),
      oldest: Number(row.oldest),
    }));
  }

  async take(groupKey: string, groupId: string, limit: number): Promise<number> {
    const [result] = await this.#db.write([
      {
        sql: `update parked_calls set group_id = ? where seq in (
                select seq from parked_calls where group_key = ? and group_id is null order by created_at, seq limit ?)`,
        args: [groupId, groupKey, limit],
      },
    ]);
    return result?.rowsAffected ?? 0;
  }

  async openGroups(): Promise<OpenGroup[]> {
    const rows = await this.#db.read({
      sql: `select group_id, max(batch_id) as batch_id from parked_calls
            where status is null and group_id is not null group by group_id`,
      args: [],
    });
    return rows.map((row) => ({
      groupId: String(row.group_id),
      batchId: row.batch_id === null ? null : String(row.batch_id),
    }));
  }

  async ofGroup(groupId: string): Promise<ParkedCallRow[]> {
    return this.#db.orm
      .select(columns)
      .from(parkedCalls)
      .where(eq(parkedCalls.groupId, groupId))
      .orderBy(asc(parkedCalls.seq));
  }

  async setBatch(groupId: string, batchId: string): Promise<void> {
    await this.#db.orm.update(parkedCalls).set({ batchId }).where(eq(parkedCalls.groupId, groupId));
  }

  async answer(answers: readonly { id: string; status: number; answer: string }[]): Promise<void> {
    if (answers.length === 0) return;
    await this.#db.write([
      {
        sql: `with ${BULK_ROWS}
              update parked_calls set status = r.v ->> 1, answer = r.v ->> 2 from r
              where parked_calls.id = r.v ->> 0 and parked_calls.status is null`,
        args: [bulkRows(answers.map(({ id, status, answer }) => [id, status, answer]))],
      },
    ]);
  }

  async answered(ids: readonly string[]): Promise<string[]> {
    const rows = await this.#db.read({
      sql: `select id from parked_calls
            where id in (select value from json_each(?)) and status is not null`,
      args: [JSON.stringify(ids)],
    });
    return rows.map(({ id }) => String(id));
  }

  async deliver(id: string, now: number): Promise<void> {
    await this.#db.orm
      .update(parkedCalls)
      .set({ deliveredAt: sql`coalesce(${parkedCalls.deliveredAt}, ${now})` })
      .where(eq(parkedCalls.id, id));
  }

  async deleteAnsweredBefore(time: number): Promise<void> {
    await this.#db.write([
      {
        sql: `delete from parked_calls where status is not null and created_at < ?1 and not exists (
                select 1 from batches b where b.id = parked_calls.batch_id
                  and coalesce(b.completed_at, b.failed_at, b.expired_at, b.cancelled_at, ?1) >= ?1)`,
        args: [time],
      },
    ]);
  }
}
