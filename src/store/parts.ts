import { and, asc, eq, getTableColumns, gte, lte, sql } from '#drizzle';
import type { PartRow } from '../ports/store-segments.ts';
import type { Database, Statement } from './client.ts';
import { parts } from './schema/parts.ts';

const { seq: _seq, tenantId: _tenantId, ...columns } = getTableColumns(parts);

/** Adds a part to its batch. */
export function insertPart(part: PartRow): Statement {
  return {
    sql: `insert into parts (key, batch_id, tenant_id, first_line, last_line, count, bytes, index_offset, created_at,
            busy_ms, busy_from, busy_until)
          select ?, id, tenant_id, ?, ?, ?, ?, ?, ?, ?, ?, ? from batches where id = ?`,
    args: [
      part.key,
      part.firstLine,
      part.lastLine,
      part.count,
      part.bytes,
      part.indexOffset,
      part.createdAt,
      part.busyMs,
      part.busyFrom,
      part.busyUntil,
      part.batchId,
    ],
  };
}

export async function hasPart(database: Database, batchId: string, key: string): Promise<boolean> {
  const rows = await database.read({ sql: 'select 1 from parts where key = ? and batch_id = ?', args: [key, batchId] });
  return rows.length > 0;
}

/** The query of the parts of `batchId` that touch the lines from `firstLine` to `lastLine`; to be built once. */
export function partsTouching(database: Database) {
  const at = (name: string) => sql.placeholder(name);
  return database.orm
    .select(columns)
    .from(parts)
    .where(
      and(eq(parts.batchId, at('batchId')), lte(parts.firstLine, at('lastLine')), gte(parts.lastLine, at('firstLine'))),
    )
    .orderBy(asc(parts.firstLine), asc(parts.seq))
    .prepare();
}

export async function partsSince(
  database: Database,
  batchId: string,
  afterKey: string | null,
  limit: number,
): Promise<PartRow[]> {
  const after =
    afterKey === null ? undefined : sql`${parts.seq} > (select seq from parts as seen where seen.key = ${afterKey})`;
  return database.orm
    .select(columns)
    .from(parts)
    .where(and(eq(parts.batchId, batchId), after))
    .orderBy(asc(parts.seq))
    .limit(limit);
}
