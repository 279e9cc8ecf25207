import { and, asc, eq, getTableColumns, gte, lte } from '#drizzle';
import type { PartRow } from '../ports/store-segments.ts';
import type { Database, Statement } from './client.ts';
import { spareParts } from './schema/spare-parts.ts';

const { seq: _seq, ...columns } = getTableColumns(spareParts);

/** Adds a part of answers that were not taken. */
export function insertSparePart(part: PartRow): Statement {
  return {
    sql: `insert into spare_parts (key, batch_id, first_line, last_line, count, bytes, index_offset, created_at)
          values (?, ?, ?, ?, ?, ?, ?, ?)`,
    args: [
      part.key,
      part.batchId,
      part.firstLine,
      part.lastLine,
      part.count,
      part.bytes,
      part.indexOffset,
      part.createdAt,
    ],
  };
}

/** In the order they were committed, so that of several answers of a line the last one counts. */
export async function sparePartsTouching(
  database: Database,
  batchId: string,
  firstLine: number,
  lastLine: number,
): Promise<PartRow[]> {
  const rows = await database.orm
    .select(columns)
    .from(spareParts)
    .where(
      and(eq(spareParts.batchId, batchId), lte(spareParts.firstLine, lastLine), gte(spareParts.lastLine, firstLine)),
    )
    .orderBy(asc(spareParts.seq));
  return rows.map((row) => ({ ...row, busyMs: null, busyFrom: null, busyUntil: null }));
}
