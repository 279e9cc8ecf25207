import { and, asc, desc, eq, getTableColumns, isNull, sql } from '#drizzle';
import type { EvalStoredRow, StoreEvals } from '../ports/store-evals.ts';
import type { Scope } from '../ports/store-query.ts';
import { type Database, statementOf } from './client.ts';
import { inScope } from './cursor.ts';
import { readDiffering, readFigures } from './eval-figures.ts';
import { readItems, readOutputs } from './eval-outputs.ts';
import { cancelRun, deleteRuns, getRun, insertRun, listRuns } from './eval-runs.ts';
import { evals } from './schema/evals.ts';

const { seq: _seq, deletedAt: _deletedAt, ...columns } = getTableColumns(evals);

export class LibsqlEvals implements StoreEvals {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: EvalStoredRow): Promise<EvalStoredRow> {
    await this.#db.write([statementOf(this.#db.orm.insert(evals).values(row).onConflictDoNothing())]);
    return (await this.get('all', row.id)) ?? row;
  }

  async get(scope: Scope, id: string): Promise<EvalStoredRow | null> {
    const found = this.#db.orm.select(columns).from(evals).where(this.#own(scope, id));
    return (await found.get()) ?? null;
  }

  async list(
    tenantId: string,
    { limit, after, order, orderBy }: Parameters<StoreEvals['list']>[1],
  ): Promise<EvalStoredRow[] | null> {
    const isAscending = order === 'asc';
    const place = orderBy === 'updated_at' ? sql`${evals.updatedAt}, ${evals.seq}` : sql`${evals.seq}`;
    let beyond: ReturnType<typeof sql> | undefined;
    if (after !== undefined) {
      const cursor = await this.#db.orm
        .select({ seq: evals.seq })
        .from(evals)
        .where(and(eq(evals.id, after), eq(evals.tenantId, tenantId)))
        .get();
      if (cursor === undefined) return null;
      beyond = sql`(${place}) ${sql.raw(isAscending ? '>' : '<')} (
        select ${place} from evals where ${evals.seq} = ${cursor.seq})`;
    }
    const direct = isAscending ? asc : desc;
    const byPlace = orderBy === 'updated_at' ? [direct(evals.updatedAt), direct(evals.seq)] : [direct(evals.seq)];
    return this.#db.orm
      .select(columns)
      .from(evals)
      .where(and(eq(evals.tenantId, tenantId), isNull(evals.deletedAt), beyond))
      .orderBy(...byPlace)
      .limit(limit);
  }

  async update(
    scope: Scope,
    id: string,
    { name, metadata, now }: Parameters<StoreEvals['update']>[2],
  ): Promise<EvalStoredRow | null> {
    const [row] = await this.#db.orm
      .update(evals)
      .set({ updatedAt: now, ...(name !== undefined && { name }), ...(metadata !== undefined && { metadata }) })
      .where(this.#own(scope, id))
      .returning(columns);
    return row ?? null;
  }

  async delete(scope: Scope, id: string, now: number): Promise<boolean> {
    const gone = this.#db.orm
      .update(evals)
      .set({ deletedAt: now, name: '', metadata: null })
      .where(this.#own(scope, id))
      .returning({ id: evals.id });
    const row = await this.get(scope, id);
    if (row === null) return false;
    await this.#db.write([statementOf(gone), deleteRuns(this.#db, now, { evalId: id })]);
    return true;
  }

  insertRun(...args: Parameters<StoreEvals['insertRun']>) {
    return insertRun(this.#db, ...args);
  }

  getRun(...args: Parameters<StoreEvals['getRun']>) {
    return getRun(this.#db, ...args);
  }

  listRuns(...args: Parameters<StoreEvals['listRuns']>) {
    return listRuns(this.#db, ...args);
  }

  cancelRun(...args: Parameters<StoreEvals['cancelRun']>) {
    return cancelRun(this.#db, ...args);
  }

  async deleteRun(scope: Scope, evalId: string, id: string, now: number): Promise<boolean> {
    if ((await getRun(this.#db, scope, evalId, id)) === null) return false;
    await this.#db.write([deleteRuns(this.#db, now, { evalId, id })]);
    return true;
  }

  items(...args: Parameters<StoreEvals['items']>) {
    return readItems(this.#db, ...args);
  }

  outputs(...args: Parameters<StoreEvals['outputs']>) {
    return readOutputs(this.#db, ...args);
  }

  figures(...args: Parameters<StoreEvals['figures']>) {
    return readFigures(this.#db, ...args);
  }

  differing(...args: Parameters<StoreEvals['differing']>) {
    return readDiffering(this.#db, ...args);
  }

  #own(scope: Scope, id: string) {
    return and(eq(evals.id, id), inScope(evals, scope), isNull(evals.deletedAt));
  }
}
