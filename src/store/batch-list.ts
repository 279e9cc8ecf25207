import { and, eq, gte, inArray, isNull, lt, type SQL, sql } from '#drizzle';
import { LIVE_STATUSES } from '../core/batch-state.ts';
import { OPEN_SEGMENT_STATES } from '../core/segment-state.ts';
import { OPEN_SHARD_STATES } from '../core/shard-state.ts';
import type { BatchListQuery, BatchRow } from '../ports/store-batches.ts';
import type { Scope } from '../ports/store-query.ts';
import { batchColumns, toBatchRow } from './batch-row.ts';
import type { Database } from './client.ts';
import { inScope } from './cursor.ts';
import { batches } from './schema/batches.ts';
import { literalList } from './text.ts';

const SORT_COLUMNS = {
  created_at: batches.seq,
  cost: batches.amountNano,
  requests: batches.total,
  failed: batches.failed,
} as const;

/** See StoreBatches.list. */
export async function listBatchRows(
  database: Database,
  scope: Scope,
  query: BatchListQuery,
): Promise<BatchRow[] | null> {
  const column = SORT_COLUMNS[query.sort ?? 'created_at'];
  const isAscending = query.order === 'asc';
  let beyond: SQL | undefined;
  if (query.after !== undefined) {
    const cursor = await database.orm
      .select({ seq: batches.seq })
      .from(batches)
      .where(and(eq(batches.id, query.after), inScope(batches, scope)))
      .get();
    if (cursor === undefined) return null;
    const place = column === batches.seq ? sql`${batches.seq}` : sql`${column}, ${batches.seq}`;
    // Compared within the database, for sums of money do not fit into a number.
    beyond = sql`(${place}) ${sql.raw(isAscending ? '>' : '<')} (
      select ${place} from batches where ${batches.seq} = ${cursor.seq})`;
  }
  const direction = sql.raw(isAscending ? 'asc' : 'desc');
  const rows = await database.orm
    .select(batchColumns)
    .from(batches)
    .where(and(inScope(batches, scope), ...filters(query), beyond))
    .orderBy(sql`${column} ${direction}, ${batches.seq} ${direction}`)
    .limit(query.limit);
  return rows.map(toBatchRow);
}

function filters(query: BatchListQuery): (SQL | undefined)[] {
  const { statuses, search, createdFrom, createdBefore, front } = query;
  return [
    statuses === undefined ? undefined : inArray(batches.status, [...statuses]),
    createdFrom === undefined ? undefined : gte(batches.createdAt, createdFrom),
    createdBefore === undefined ? undefined : lt(batches.createdAt, createdBefore),
    search === undefined ? undefined : matches(search),
    front === undefined ? undefined : and(eq(batches.front, front), isNull(batches.frontDeletedAt)),
  ];
}

/** Whether id, route, model, metadata or the input's file name hold the text, whatever its case. */
function matches(search: string): SQL {
  const own = sql`${batches.id} || ' ' || coalesce(${batches.configName}, '') || ' ' || coalesce(${batches.model}, '')
    || ' ' || coalesce(${batches.metadata}, '')`;
  return sql`(instr(lower(${own}), lower(${search})) > 0 or exists (
    select 1 from files where files.id = ${batches.inputFileId} and instr(lower(files.filename), lower(${search})) > 0))`;
}

/** See StoreBatches.live. */
export async function listLiveRows(database: Database, scope: Scope, limit: number): Promise<BatchRow[]> {
  // The pluses leave the index by status as the only way: few batches run, while a tenant may have had very many.
  const own = scope === 'all' ? undefined : sql`+${batches.tenantId} = ${scope.tenantId}`;
  const rows = await database.orm
    .select(batchColumns)
    .from(batches)
    .where(and(inArray(batches.status, [...LIVE_STATUSES]), own))
    .orderBy(sql`+${batches.seq} desc`)
    .limit(limit);
  return rows.map(toBatchRow);
}

/** See StoreBatches.settledHeads. */
export async function listSettledHeads(
  database: Database,
  { lines, limit }: { lines: number; limit: number },
): Promise<{ batch: BatchRow; lines: number }[]> {
  const firstOf = (table: string, open: readonly string[]): string =>
    `select min(first_line) line from ${table} where batch_id = batches.id and state in (${literalList(open)})`;
  const heads = `${firstOf('segments', OPEN_SEGMENT_STATES)} union all ${firstOf('shards', OPEN_SHARD_STATES)}`;
  const head = sql<number | null>`(select min(line) from (${sql.raw(heads)}))`;
  const rows = await database.orm
    .select({ ...batchColumns, head })
    .from(batches)
    .where(and(eq(batches.status, 'in_progress'), isNull(batches.stop), gte(batches.total, lines)))
    .orderBy(sql`+${batches.seq}`)
    .limit(limit);
  return rows.flatMap((row) => (row.head === null ? [] : { batch: toBatchRow(row), lines: row.head }));
}
