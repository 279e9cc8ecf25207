import { and, eq, getTableColumns, inArray, isNotNull, isNull, lte, sql } from '#drizzle';
import { LIVE_STATUSES } from '../core/batch-state.ts';
import type { FileRow, StoreFiles } from '../ports/store-files.ts';
import type { ListQuery, Scope } from '../ports/store-query.ts';
import type { FilePurpose } from '../protocol/file.ts';
import type { Database, Statement } from './client.ts';
import { inScope, pageOf } from './cursor.ts';
import { rowInsert } from './row-insert.ts';
import { batches } from './schema/batches.ts';
import { files } from './schema/files.ts';
import { BATCHES_OF_ABANDONED } from './shard-work.ts';
import { literalList } from './text.ts';

const { seq: _seq, purgedAt: _purgedAt, ...columns } = getTableColumns(files);

/** Adds a file's row unless its id is there; for the files' own insert and for the end of a batch. */
export const insertFile: (row: FileRow) => Statement = rowInsert(files, ['seq', 'purgedAt']);

export class LibsqlFiles implements StoreFiles {
  readonly #db: Database;

  /** Built once: every step of a batch asks for its input, and to build a query costs more than to run it. */
  readonly #any;
  readonly #one;
  readonly #own;

  constructor(db: Database) {
    this.#db = db;
    const from = () => db.orm.select(columns).from(files);
    const hasId = eq(files.id, sql.placeholder('id'));
    const isThere = and(hasId, isNull(files.deletedAt));
    this.#any = from().where(hasId).prepare();
    this.#one = from().where(isThere).prepare();
    this.#own = from()
      .where(and(isThere, eq(files.tenantId, sql.placeholder('tenantId'))))
      .prepare();
  }

  async insert(row: FileRow): Promise<void> {
    await this.#db.write([insertFile(row)]);
  }

  async get(scope: Scope, id: string): Promise<FileRow | null> {
    const row = scope === 'all' ? await this.#one.get({ id }) : await this.#own.get({ id, tenantId: scope.tenantId });
    return row ?? null;
  }

  async getAny(id: string): Promise<FileRow | null> {
    return (await this.#any.get({ id })) ?? null;
  }

  async list(tenantId: string, query: ListQuery & { purpose?: string | undefined }): Promise<FileRow[] | null> {
    const page = await pageOf(this.#db, files, { tenantId }, query);
    if (page === null) return null;
    const ofPurpose = query.purpose === undefined ? undefined : eq(files.purpose, query.purpose as FilePurpose);
    return this.#db.orm
      .select(columns)
      .from(files)
      .where(and(eq(files.tenantId, tenantId), isNull(files.deletedAt), ofPurpose, page.beyond))
      .orderBy(page.orderBy)
      .limit(page.limit);
  }

  async bytesOfKey(keyId: string): Promise<number> {
    const [row] = await this.#db.read({
      sql: `select (select coalesce(sum(bytes), 0) from files where key_id = ? and deleted_at is null)
              + (select coalesce(sum(bytes), 0) from uploads where key_id = ? and status = 'pending') as bytes`,
      args: [keyId, keyId],
    });
    return Number(row?.bytes ?? 0);
  }

  async markDeleted(scope: Scope, id: string, now: number): Promise<boolean> {
    const marked = await this.#db.orm
      .update(files)
      .set({ deletedAt: now })
      .where(and(eq(files.id, id), inScope(files, scope), isNull(files.deletedAt)))
      .returning({ id: files.id });
    return marked.length > 0;
  }

  async markExpired(now: number, limit: number): Promise<number> {
    const due = this.#db.orm
      .select({ seq: files.seq })
      .from(files)
      .where(and(isNull(files.deletedAt), isNotNull(files.expiresAt), lte(files.expiresAt, now)))
      .orderBy(files.expiresAt)
      .limit(limit);
    const marked = await this.#db.orm
      .update(files)
      .set({ deletedAt: now })
      .where(inArray(files.seq, due))
      .returning({ id: files.id });
    return marked.length;
  }

  async purgeable(limit: number): Promise<FileRow[]> {
    const live = sql.raw(literalList(LIVE_STATUSES));
    const usedByLiveBatch = sql`exists (select 1 from ${batches} where ${batches.inputFileId} = ${files.id} and ${batches.status} in (${live}))`;
    // What a provider batch that was given up still answers is entered by what was asked.
    const usedByAbandoned = sql`${files.id} in (select input_file_id from batches where id in (${sql.raw(BATCHES_OF_ABANDONED)}))`;
    return this.#db.orm
      .select(columns)
      .from(files)
      .where(
        and(isNotNull(files.deletedAt), isNull(files.purgedAt), sql`not ${usedByLiveBatch} and not ${usedByAbandoned}`),
      )
      .orderBy(files.deletedAt)
      .limit(limit);
  }

  async markPurged(ids: readonly string[], now: number): Promise<void> {
    if (ids.length === 0) return;
    await this.#db.write([
      {
        sql: `update files set purged_at = ? where deleted_at is not null and purged_at is null
              and id in (select value from json_each(?))`,
        args: [now, JSON.stringify(ids)],
      },
    ]);
  }
}
