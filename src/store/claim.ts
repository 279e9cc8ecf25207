import type { SegmentLease, StoreSegments } from '../ports/store-segments.ts';
import type { Database, Row } from './client.ts';

const RUNNABLE = (batch: string): string =>
  `${batch}.status = 'in_progress' and ${batch}.stop is null and ${batch}.paused_at is null`;

/**
 * The segments to lease next. Tenants take turns, and within a tenant its batches: each gives its first segment, then
 * each its second, and so on. Nothing is sorted as a whole: queues and tenants are found by skipping through indices,
 * each tenant is asked for its first batches, each batch for its first segments in each open queue.
 * Parameters: excluded queues, limit, queues for newcomers, held [queue, batch, tenant]; lists are JSON arrays.
 */
const CHOICE = `
  with recursive queues (queue) as (
    select min(queue) from segments where state = 'pending'
    union all
    select (select min(s.queue) from segments s where s.state = 'pending' and s.queue > queues.queue)
    from queues where queue is not null
  ),
  open as materialized (
    select queue, queue in (select value from json_each(?3)) as is_full from queues
    where queue is not null and queue not in (select value from json_each(?1))
  ),
  held as materialized (
    select value ->> 0 as queue, value ->> 1 as batch_id, value ->> 2 as tenant_id from json_each(?4)
  ),
  tenants (tenant_id) as (
    select min(b.tenant_id) from batches b where ${RUNNABLE('b')}
    union all
    select (select min(b.tenant_id) from batches b where ${RUNNABLE('b')} and b.tenant_id > tenants.tenant_id)
    from tenants where tenant_id is not null
  ),
  turns as materialized (
    select tenant_id,
      (select max(b.turn) from batches b where ${RUNNABLE('b')} and b.tenant_id = tenants.tenant_id) as turn
    from tenants where tenant_id is not null
  ),
  served as materialized (
    select b.seq, b.id, b.tenant_id, b.due_turn, turns.turn from turns cross join batches b
    where b.seq in (
      select c.seq from batches c
      where ${RUNNABLE('c')} and c.tenant_id = turns.tenant_id and exists (
        select 1 from open cross join segments s
        where s.state = 'pending' and s.queue = open.queue and s.batch_id = c.id and not exists (
          select 1 from held h
          where h.queue = open.queue and (h.batch_id = c.id or h.tenant_id = c.tenant_id)))
      order by c.due_turn, c.seq limit ?2)
  ),
  firsts as (
    select s.id, s.batch_id, s.first_line, served.tenant_id, served.turn, served.due_turn, served.seq, open.is_full,
      row_number() over (partition by s.batch_id, s.queue order by s.first_line) as queue_place
    from served cross join open cross join segments s
    where s.rowid in (
      select x.rowid from segments x
      where x.state = 'pending' and x.queue = open.queue and x.batch_id = served.id and not exists (
        select 1 from held h
        where h.queue = open.queue and (h.batch_id = served.id or h.tenant_id = served.tenant_id))
      order by x.first_line limit ?2)
  ),
  candidates as (
    select *, row_number() over (partition by batch_id order by first_line) as place
    from firsts where queue_place = 1 or not is_full
  ),
  ranked as (
    select id, turn, seq, row_number() over (partition by tenant_id order by place, due_turn, seq) as tenant_place
    from candidates
  )
  select id from ranked order by tenant_place, turn, seq limit ?2`;

const LEASE_COLUMNS = 'id, batch_id, tenant_id, lane, queue, candidate, first_line, last_line, lines, granted, resumed';

const NEXT_TURN = `(select coalesce(max(turn), 0) + 1 from batches where status = 'in_progress')`;

/** A step of priority brings a batch's next turn forward by so many turns: none waits without end. */
const TURNS_OF_PRIORITY = 8;

/** See StoreSegments.claim. The answer is in order of lines. */
export async function claimSegments(
  database: Database,
  { until, token, limit, exclude, newcomers = [], held = [] }: Parameters<StoreSegments['claim']>[0],
): Promise<SegmentLease[]> {
  if (limit <= 0) return [];
  const heldRows = held.map((each) =>
    'batchId' in each ? [each.queue, each.batchId, null] : [each.queue, null, each.tenantId],
  );
  const [leased] = await database.write([
    {
      sql: `update segments set state = 'leased', token = ?5, lease_until = ?6, turn = ${NEXT_TURN}
            where id in (${CHOICE})
            returning ${LEASE_COLUMNS}`,
      args: [JSON.stringify(exclude), limit, JSON.stringify(newcomers), JSON.stringify(heldRows), token, until],
    },
    {
      sql: `update batches set turn = next.turn, due_turn = next.turn - ${TURNS_OF_PRIORITY} * priority
            from (select ${NEXT_TURN} as turn) as next
            where status = 'in_progress' and id in (
              select batch_id from segments where state = 'leased' and token = ? and turn = ${NEXT_TURN})`,
      args: [token],
    },
  ]);
  return (leased?.rows ?? [])
    .map((row) => toLease(row, token, until))
    .sort((left, right) => left.firstLine - right.firstLine || left.lane - right.lane);
}

/** See StoreSegments.claimDoubtful. */
export async function claimDoubtful(
  database: Database,
  { batchId, token, until, limit }: Parameters<StoreSegments['claimDoubtful']>[0],
): Promise<SegmentLease[]> {
  const [leased] = await database.write([
    {
      sql: `update segments set state = 'leased', token = ?, lease_until = ?
            where id in (
              select id from segments where batch_id = ? and state = 'pending' and granted > 0 limit ?)
            returning ${LEASE_COLUMNS}`,
      args: [token, until, batchId, limit],
    },
  ]);
  return (leased?.rows ?? []).map((row) => toLease(row, token, until));
}

function toLease(row: Row, token: string, leaseUntil: number): SegmentLease {
  return {
    id: String(row.id),
    batchId: String(row.batch_id),
    tenantId: String(row.tenant_id),
    lane: Number(row.lane),
    queue: String(row.queue),
    candidate: Number(row.candidate),
    firstLine: Number(row.first_line),
    lastLine: Number(row.last_line),
    lines: Number(row.lines),
    token,
    leaseUntil,
    granted: Number(row.granted),
    resumed: Number(row.resumed) === 1,
  };
}
