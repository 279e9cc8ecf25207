import type { SegmentLease, StoreSegments } from '../ports/store-segments.ts';
import type { Database, Row } from './client.ts';

/**
 * The segments to lease next: of the batches with an open pending segment those served longest ago, each giving its
 * first segment, then each its second, and so on. Pending segments are never sorted as a whole: the queues are found
 * by skipping through the index segments_pending, and each batch is asked for its first segments in each open queue.
 * Parameters: excluded queues as a JSON array, limit.
 */
const CHOICE = `
  with recursive queues (queue) as (
    select min(queue) from segments where state = 'pending'
    union all
    select (select min(s.queue) from segments s where s.state = 'pending' and s.queue > queues.queue)
    from queues where queue is not null
  ),
  open as materialized (
    select queue from queues where queue is not null and queue not in (select value from json_each(?1))
  ),
  served as materialized (
    select b.seq, b.id, b.turn from batches b
    where b.status = 'in_progress' and b.stop is null and b.paused_at is null and exists (
      select 1 from open cross join segments s
      where s.state = 'pending' and s.queue = open.queue and s.batch_id = b.id)
    order by b.turn, b.seq limit ?2
  ),
  candidates as (
    select s.id, served.turn, served.seq, row_number() over (partition by s.batch_id order by s.first_line) as place
    from served cross join open cross join segments s
    where s.rowid in (
      select x.rowid from segments x
      where x.state = 'pending' and x.queue = open.queue and x.batch_id = served.id
      order by x.first_line limit ?2)
  )
  select id from candidates order by place, turn, seq limit ?2`;

const NEXT_TURN = `(select coalesce(max(turn), 0) + 1 from batches where status = 'in_progress')`;

/** See StoreSegments.claim. The answer is in order of lines. */
export async function claimSegments(
  database: Database,
  { until, token, limit, exclude }: Parameters<StoreSegments['claim']>[0],
): Promise<SegmentLease[]> {
  if (limit <= 0) return [];
  const [leased] = await database.write([
    {
      sql: `update segments set state = 'leased', token = ?3, lease_until = ?4, turn = ${NEXT_TURN}
            where id in (${CHOICE})
            returning id, batch_id, tenant_id, lane, queue, candidate, first_line, last_line, lines, granted, resumed`,
      args: [JSON.stringify(exclude), limit, token, until],
    },
    {
      sql: `update batches set turn = ${NEXT_TURN} where status = 'in_progress' and id in (
              select batch_id from segments where state = 'leased' and token = ? and turn = ${NEXT_TURN})`,
      args: [token],
    },
  ]);
  return (leased?.rows ?? [])
    .map((row) => toLease(row, token, until))
    .sort((left, right) => left.firstLine - right.firstLine || left.lane - right.lane);
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
