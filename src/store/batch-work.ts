import { and, eq, inArray, ne } from '#drizzle';
import { LIVE_STATUSES, statusesBefore } from '../core/batch-state.ts';
import { OPEN_SHARD_STATES } from '../core/shard-state.ts';
import type { BatchEstimate, BatchRow, StoreBatches } from '../ports/store-batches.ts';
import type { BatchStatus } from '../protocol/batch.ts';
import { batchColumns, toBatchRow } from './batch-row.ts';
import { LATEST_STEP } from './batch-stop.ts';
import { coverStartedBatch, deleteBatchHolds } from './budget-holds.ts';
import type { Argument, Database, Statement } from './client.ts';
import { insertFile } from './files.ts';
import { batches } from './schema/batches.ts';
import { literalList } from './text.ts';
import { batchEventStatements } from './webhook-outbox.ts';
import { insertSegments, insertShards, keepExisting } from './work-rows.ts';

/** Who works on which batch: every change below holds only while the token is the batch's. */
interface Lease {
  id: string;
  token: string;
}

/** The open shards that may have a provider batch. */
const STARTED = OPEN_SHARD_STATES.filter((state) => state !== 'pending');

/** Nothing is left of its work but to write its files. */
const IS_DONE = `status = 'in_progress' and open_segments = 0 and stop is null
  and not exists (select 1 from spare_parts p where p.batch_id = batches.id)`;

type Change<Method extends 'start' | 'fail' | 'finish'> = Parameters<StoreBatches[Method]>[2];

/** See StoreBatches.claimDue. A lease that is still running is left alone whoever holds it. */
export async function claimDueBatches(
  database: Database,
  { now, until, token, limit }: Parameters<StoreBatches['claimDue']>[0],
): Promise<BatchRow[]> {
  const claim: Statement = {
    sql: `update batches set lease_token = ?, lease_until = ?, status = iif(${IS_DONE}, 'finalizing', status),
            finalizing_at = iif(${IS_DONE}, max(?, ${LATEST_STEP}), finalizing_at)
          where seq in (
            select b.seq from batches b
            where b.status in (${literalList(LIVE_STATUSES)}) and b.next_at <= ?
              and (b.lease_until is null or b.lease_until <= ?)
              and (
                b.status in ('validating', 'finalizing')
                or (b.status = 'in_progress' and b.open_segments = 0)
                or ((b.status = 'cancelling' or b.stop is not null)
                  and not exists (
                    select 1 from segments s where s.state = 'leased' and s.batch_id = b.id and s.lease_until >= ?)
                  and not exists (
                    select 1 from shards s where s.batch_id = b.id
                      and (s.state in (${literalList(STARTED)}) or (s.state = 'pending' and s.lease_until > ?)))))
            order by b.next_at, b.seq limit ?)
          returning seq`,
    args: [token, until, now, now, now, now, now, limit],
  };
  // Whoever let a segment's lease lapse must not commit to a batch that is being brought to its end.
  const stopped: Statement = {
    sql: `select id from batches
          where status in (${literalList(LIVE_STATUSES)}) and lease_token = ? and lease_until = ?
            and (status = 'cancelling' or stop is not null)`,
    args: [token, until],
  };
  const endLapsedLeases: Statement = {
    sql: `update segments set state = 'pending', token = null, lease_until = null, resumed = 1
          where state = 'leased' and lease_until < ? and batch_id in (${stopped.sql})`,
    args: [now, ...stopped.args],
  };
  const [claimed] = await database.write([claim, endLapsedLeases, endPendingShards(stopped, now)]);
  const seqs = (claimed?.rows ?? []).map((row) => Number(row.seq));
  if (seqs.length === 0) return [];
  const rows = await database.orm
    .select(batchColumns)
    .from(batches)
    .where(inArray(batches.seq, seqs))
    .orderBy(batches.nextAt, batches.seq);
  return rows.map(toBatchRow);
}

export async function renewBatches(
  database: Database,
  ids: readonly string[],
  token: string,
  until: number,
): Promise<void> {
  await database.orm
    .update(batches)
    .set({ leaseUntil: until })
    .where(and(inArray(batches.id, [...ids]), eq(batches.leaseToken, token)));
}

export async function endLeasesOfOthers(database: Database, token: string): Promise<void> {
  await database.orm
    .update(batches)
    .set({ leaseToken: null, leaseUntil: null })
    .where(and(inArray(batches.status, LIVE_STATUSES), ne(batches.leaseToken, token)));
}

export async function releaseBatch(
  database: Database,
  { id, token }: Lease,
  nextAt: number,
  estimate: BatchEstimate | null = null,
): Promise<void> {
  const sql = `update batches set lease_token = null, lease_until = null, next_at = ?, estimate = coalesce(?, estimate)
               where id = ? and lease_token = ?`;
  await database.write([{ sql, args: [nextAt, estimate && JSON.stringify(estimate), id, token] }]);
}

export function startBatch(database: Database, lease: Lease, change: Change<'start'>): Promise<boolean> {
  return moveBatch(database, lease, 'in_progress', {
    set: {
      in_progress_at: change.now,
      total: change.total,
      failed: change.refused,
      model: change.model,
      lanes: JSON.stringify(change.lanes),
      lanes_key: change.lanesKey,
      open_segments: change.segments,
    },
    also: [...insertRows(change.rows), coverStartedBatch(lease.id, change.now)],
  });
}

function insertRows(
  { segments, shards }: NonNullable<Change<'start'>['rows']> = { segments: [], shards: [] },
): Statement[] {
  return [
    ...(segments.length === 0 ? [] : [keepExisting(insertSegments(segments))]),
    ...(shards.length === 0 ? [] : [keepExisting(insertShards(shards))]),
  ];
}

export function failBatch(database: Database, lease: Lease, change: Change<'fail'>): Promise<boolean> {
  return moveBatch(database, lease, 'failed', {
    set: { failed_at: change.now, errors: JSON.stringify(change.errors), ...noLease },
    also: [
      ...deleteBatchHolds(lease.id),
      deleteSegments(lease.id),
      { sql: 'delete from shards where batch_id = ?', args: [lease.id] },
    ],
  });
}

export function beginFinalizing(database: Database, lease: Lease, now: number): Promise<boolean> {
  return moveBatch(database, lease, 'finalizing', {
    set: { finalizing_at: now },
    when: '(open_segments = 0 or stop is not null)',
  });
}

export function finishBatch(database: Database, lease: Lease, change: Change<'finish'>): Promise<boolean> {
  const files = [change.outputFile, change.errorFile].filter((file) => file !== null);
  return moveBatch(database, lease, change.status, {
    ...(change.status === 'cancelled' && { when: `(status = 'cancelling' or stop in ('budget', 'input_lost'))` }),
    set: {
      [`${change.status}_at`]: change.now,
      // A batch cancelled before its start knows its lines only now.
      total: change.completed + change.failed,
      completed: change.completed,
      failed: change.failed,
      output_file_id: change.outputFile?.id ?? null,
      error_file_id: change.errorFile?.id ?? null,
      ...(change.errors != null && { errors: JSON.stringify(change.errors) }),
      ...(change.neverRun != null && { never_run: JSON.stringify(change.neverRun) }),
      ...noLease,
    },
    also: [
      ...files.map((file) => insertFile(file)),
      deleteSegments(lease.id),
      ...deleteBatchHolds(lease.id),
      forgetEndedAsking(lease.id),
      endPendingShards({ sql: '?', args: [lease.id] }, change.now),
    ],
  });
}

const STEP_TIMES: ReadonlySet<string> = new Set([
  'in_progress_at',
  'finalizing_at',
  'failed_at',
  'completed_at',
  'expired_at',
  'cancelled_at',
]);

const noLease = { lease_token: null, lease_until: null, open_segments: 0 };

function deleteSegments(batchId: string): Statement {
  return { sql: 'delete from segments where batch_id = ?', args: [batchId] };
}

/** What shards that never came to submit had noted: the others forget theirs as they end. */
function forgetEndedAsking(batchId: string): Statement {
  return {
    sql: `delete from asked_lines
          where shard_id in (select id from shards where batch_id = ? and state in ('pending', 'done'))`,
    args: [batchId],
  };
}

/** Ends the shards of these batches that were never submitted, or left nothing at the provider but files. */
function endPendingShards(batchIds: Statement, now: number): Statement {
  return {
    sql: `update shards set state = 'done', ended_at = ?, next_at = ?, lease_token = null, lease_until = null
          where state = 'pending' and batch_id in (${batchIds.sql})`,
    args: [now, now, ...batchIds.args],
  };
}

/** One step of core/batch-state.ts, with what belongs to it, in one write; false when the batch is not there to take it. */
async function moveBatch(
  database: Database,
  { id, token }: Lease,
  to: BatchStatus,
  step: { set: Record<string, Argument>; when?: string; also?: readonly Statement[] },
): Promise<boolean> {
  const fence: Statement = {
    sql: `exists (select 1 from batches where id = ? and lease_token = ?
            and status in (${literalList(statusesBefore(to))}) and ${step.when ?? 'true'})`,
    args: [id, token],
  };
  const columns = Object.keys(step.set);
  const sets = columns.map((column) => `${column} = ${STEP_TIMES.has(column) ? `max(?, ${LATEST_STEP})` : '?'}`);
  const update: Statement = {
    sql: `update batches set status = '${to}', ${sets.join(', ')} where id = ?`,
    args: [...Object.values(step.set), id],
  };
  return (await database.writeIf(fence, [update, ...(step.also ?? []), ...batchEventStatements(id, to)])) !== null;
}
