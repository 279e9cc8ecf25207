import type { AnySQLiteColumn } from '#drizzle';
import { and, asc, desc, eq, gt, lt, type SQL } from '#drizzle';
import type { ListQuery, Scope } from '../ports/store-query.ts';
import type { Database } from './client.ts';
import type { batches } from './schema/batches.ts';
import type { files } from './schema/files.ts';
import type { keys } from './schema/keys.ts';
import type { webhooks } from './schema/webhooks.ts';

type Listable = typeof files | typeof batches | typeof keys | typeof webhooks;

export interface Page {
  /** Rows beyond the cursor, in the page's direction; undefined from the start. */
  beyond: SQL | undefined;
  orderBy: SQL;
  limit: number;
}

/** The condition, order and limit of one page of a table; null when `after` names no row in scope, deleted ones included. */
export async function pageOf(
  database: Database,
  table: Listable,
  scope: Scope,
  { after, order, limit }: ListQuery,
): Promise<Page | null> {
  const ascending = order === 'asc';
  const orderBy = ascending ? asc(table.seq) : desc(table.seq);
  if (after === undefined) return { beyond: undefined, orderBy, limit };
  const cursor = await database.orm
    .select({ seq: table.seq })
    .from(table)
    .where(and(eq(table.id, after), inScope(table, scope)))
    .get();
  if (cursor === undefined) return null;
  return { beyond: (ascending ? gt : lt)(table.seq, cursor.seq), orderBy, limit };
}

/** Rows of the scope's tenant; undefined (no condition) for everyone's. */
export function inScope(table: { tenantId: AnySQLiteColumn }, scope: Scope): SQL | undefined {
  return scope === 'all' ? undefined : eq(table.tenantId, scope.tenantId);
}
