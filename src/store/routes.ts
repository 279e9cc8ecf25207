import { and, asc, eq, getTableColumns, sql } from '#drizzle';
import type { RouteRow, StoreRoutes } from '../ports/store-routes.ts';
import type { Database } from './client.ts';
import { routes } from './schema/routes.ts';

const { seq: _seq, ...columns } = getTableColumns(routes);

export class LibsqlRoutes implements StoreRoutes {
  readonly #db: Database;

  /** Built once: each batch asks for them twice. */
  readonly #ofTenant;

  constructor(db: Database) {
    this.#db = db;
    this.#ofTenant = db.orm
      .select(columns)
      .from(routes)
      .where(eq(routes.tenantId, sql.placeholder('tenantId')))
      .orderBy(asc(routes.name))
      .prepare();
  }

  async put(row: RouteRow): Promise<RouteRow> {
    const [stored] = await this.#db.orm
      .insert(routes)
      .values(row)
      .onConflictDoUpdate({
        target: [routes.tenantId, routes.name],
        set: { config: row.config, updatedAt: row.updatedAt },
      })
      .returning(columns);
    if (stored === undefined) throw new Error('the database did not return the stored route');
    return stored;
  }

  async get(tenantId: string, name: string): Promise<RouteRow | null> {
    const row = await this.#db.orm
      .select(columns)
      .from(routes)
      .where(and(eq(routes.tenantId, tenantId), eq(routes.name, name)))
      .get();
    return row ?? null;
  }

  /** By name. */
  async list(tenantId: string): Promise<RouteRow[]> {
    return this.#ofTenant.all({ tenantId });
  }

  async delete(tenantId: string, name: string): Promise<boolean> {
    const deleted = await this.#db.orm
      .delete(routes)
      .where(and(eq(routes.tenantId, tenantId), eq(routes.name, name)))
      .returning({ id: routes.id });
    return deleted.length > 0;
  }
}
