import { and, count, eq, getTableColumns, isNull, sql } from '#drizzle';
import type { KeyRow, StoreKeys } from '../ports/store-keys.ts';
import type { ListQuery, Scope } from '../ports/store-query.ts';
import type { Database } from './client.ts';
import { inScope, pageOf } from './cursor.ts';
import { keys } from './schema/keys.ts';

const { seq: _seq, ...columns } = getTableColumns(keys);

export class LibsqlKeys implements StoreKeys {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: KeyRow, again = false): Promise<KeyRow> {
    const insert = this.#db.orm.insert(keys).values(row);
    const { hash, prefix } = row;
    const made = again
      ? insert.onConflictDoUpdate({ target: keys.id, set: { hash, prefix }, setWhere: isNull(keys.revokedAt) })
      : insert.onConflictDoNothing({ target: keys.id });
    const [stored] = await made.returning(columns);
    return stored ?? (await this.get(row.id)) ?? row;
  }

  async get(id: string): Promise<KeyRow | null> {
    return (await this.#db.orm.select(columns).from(keys).where(eq(keys.id, id)).get()) ?? null;
  }

  async findByHash(hash: string): Promise<KeyRow | null> {
    return (await this.#db.orm.select(columns).from(keys).where(eq(keys.hash, hash)).get()) ?? null;
  }

  async working(ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set();
    const isAsked = sql`${keys.id} in (select value from json_each(${JSON.stringify(ids)}))`;
    const rows = await this.#db.orm
      .select({ id: keys.id })
      .from(keys)
      .where(and(isAsked, isNull(keys.revokedAt)));
    return new Set(rows.map(({ id }) => id));
  }

  async list(scope: Scope, query: ListQuery): Promise<KeyRow[] | null> {
    const page = await pageOf(this.#db, keys, scope, query);
    if (page === null) return null;
    const where = and(inScope(keys, scope), page.beyond);
    return this.#db.orm.select(columns).from(keys).where(where).orderBy(page.orderBy).limit(page.limit);
  }

  async revoke(id: string, now: number): Promise<KeyRow | null> {
    const [row] = await this.#db.orm
      .update(keys)
      .set({ revokedAt: sql`coalesce(${keys.revokedAt}, ${now})` })
      .where(eq(keys.id, id))
      .returning(columns);
    return row ?? null;
  }

  async update(id: string, change: Partial<Pick<KeyRow, 'name' | 'limits'>>): Promise<KeyRow | null> {
    if (Object.keys(change).length === 0) return this.get(id);
    const [row] = await this.#db.orm.update(keys).set(change).where(eq(keys.id, id)).returning(columns);
    return row ?? null;
  }

  async count(): Promise<number> {
    const row = await this.#db.orm.select({ count: count() }).from(keys).get();
    return row?.count ?? 0;
  }
}
