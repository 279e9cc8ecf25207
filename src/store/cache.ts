import { and, gt, inArray, lte } from '#drizzle';
import type { CachedAnswerRow, StoreCache } from '../ports/store-cache.ts';
import type { Database } from './client.ts';
import { cachedAnswers } from './schema/cached-answers.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

export class LibsqlCache implements StoreCache {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async find(keys: readonly string[], now: number): Promise<CachedAnswerRow[]> {
    return this.#db.orm
      .select()
      .from(cachedAnswers)
      .where(and(inArray(cachedAnswers.key, [...keys]), gt(cachedAnswers.expiresAt, now)));
  }

  async keep(rows: readonly CachedAnswerRow[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#db.write([
      {
        sql: `insert into cached_answers (key, tenant_id, answer, created_at, expires_at)
              with ${BULK_ROWS} select v ->> 0, v ->> 1, v ->> 2, v ->> 3, v ->> 4 from r where true
              on conflict (key) do update set answer = excluded.answer, created_at = excluded.created_at,
                expires_at = excluded.expires_at`,
        args: [bulkRows(rows.map((row) => [row.key, row.tenantId, row.answer, row.createdAt, row.expiresAt]))],
      },
    ]);
  }

  async deleteExpired(now: number): Promise<void> {
    await this.#db.orm.delete(cachedAnswers).where(lte(cachedAnswers.expiresAt, now));
  }
}
