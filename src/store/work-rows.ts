import { LIVE_STATUSES } from '../core/batch-state.ts';
import type { SegmentRow } from '../ports/store-segments.ts';
import type { ShardRow } from '../ports/store-shards.ts';
import type { Statement } from './client.ts';
import { BULK_ROWS, bulkRows, type Cell, literalList } from './text.ts';

/** Column by column: what a row of work stores there. */
type Columns<Row> = readonly (readonly [name: string, value: (row: Row) => Cell])[];

const SEGMENT_COLUMNS: Columns<SegmentRow> = [
  ['id', (row) => row.id],
  ['batch_id', (row) => row.batchId],
  ['tenant_id', (row) => row.tenantId],
  ['lane', (row) => row.lane],
  ['queue', (row) => row.queue],
  ['candidate', (row) => row.candidate],
  ['first_line', (row) => row.firstLine],
  ['last_line', (row) => row.lastLine],
  ['lines', (row) => row.lines],
];

const SHARD_COLUMNS: Columns<ShardRow> = [
  ['id', (row) => row.id],
  ['batch_id', (row) => row.batchId],
  ['tenant_id', (row) => row.tenantId],
  ['lane', (row) => row.lane],
  ['candidate', (row) => row.candidate],
  ['provider', (row) => row.provider],
  ['model', (row) => row.model],
  ['endpoint', (row) => row.endpoint],
  ['first_line', (row) => row.firstLine],
  ['last_line', (row) => row.lastLine],
  ['lines', (row) => row.lines],
  ['bytes', (row) => row.bytes],
  ['tokens', (row) => row.tokens],
  ['state', (row) => row.state],
  ['tries', (row) => row.tries],
  ['token', (row) => row.token],
  ['provider_batch_id', (row) => row.providerBatchId],
  ['refs', (row) => row.refs],
  ['raw', (row) => row.raw],
  ['counts', (row) => row.counts],
  ['failure', (row) => row.failure],
  ['created_at', (row) => row.createdAt],
  ['submitted_at', (row) => row.submittedAt],
  ['progress_at', (row) => row.progressAt],
  ['cancel_asked_at', (row) => row.cancelAskedAt],
  ['ended_at', (row) => row.endedAt],
  ['cleaned_at', (row) => row.cleanedAt],
  ['next_at', (row) => row.nextAt],
  ['hours', (row) => row.hours],
  ['place', (row) => row.place],
  ['ran_at', (row) => row.ranAt],
];

/** Adds segments; fails when one is there already. `resumed`: other work on their lines came before, and left results. */
export function insertSegments(rows: readonly SegmentRow[], resumed = false): Statement {
  return insertWork('segments', [...SEGMENT_COLUMNS, ['resumed', () => (resumed ? 1 : 0)]], rows);
}

/** Adds shards; fails when one is there already. */
export function insertShards(rows: readonly ShardRow[]): Statement {
  return insertWork('shards', SHARD_COLUMNS, rows);
}

/** The insert with rows whose id is there already left as they are. */
export function keepExisting({ sql, args }: Statement): Statement {
  return { sql: `${sql} on conflict (id) do nothing`, args };
}

/** Leaves out rows of a batch that has ended, so that a planner that lost its lease leaves nothing behind. */
function insertWork<Row>(table: string, columns: Columns<Row>, rows: readonly Row[]): Statement {
  const names = columns.map(([name]) => name);
  const batchId = `v ->> ${names.indexOf('batch_id')}`;
  return {
    sql: `insert into ${table} (${names}) with ${BULK_ROWS} select ${names.map((_, index) => `v ->> ${index}`)} from r
          where exists (
            select 1 from batches b where b.id = ${batchId} and b.status in (${literalList(LIVE_STATUSES)}))`,
    args: [bulkRows(rows.map((row) => columns.map(([, value]) => value(row))))],
  };
}
