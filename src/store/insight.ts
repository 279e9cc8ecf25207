import type { BusyTime } from '../ports/in-flight.ts';
import type { FailureGroup, StoreInsight } from '../ports/store-insight.ts';
import type { EntryStatus } from '../protocol/ledger.ts';
import type { Database, Row } from './client.ts';

const EXAMPLES = 3;

export class LibsqlInsight implements StoreInsight {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async throughput(batchId: string, bucketSeconds: number): Promise<{ at: number; requests: number }[]> {
    const rows = await this.#db.read({
      sql: `select created_at - created_at % ?1 as at, sum(count) as requests
            from parts where batch_id = ?2 group by 1 order by 1`,
      args: [bucketSeconds, batchId],
    });
    return rows.map((row) => ({ at: Number(row.at), requests: Number(row.requests) }));
  }

  async busyTimes(batchId: string, bucketSeconds: number): Promise<BusyTime[]> {
    const rows = await this.#db.read({
      sql: `select sum(busy_ms) as busy_ms, min(busy_from) as busy_from, max(busy_until) as busy_until
            from parts where batch_id = ?2 and busy_ms is not null
            group by busy_from / ?1, busy_until / ?1, iif(busy_from / ?1 = busy_until / ?1, 0, seq) order by 2`,
      args: [bucketSeconds * 1000, batchId],
    });
    return rows.map((row) => ({
      busyMs: Number(row.busy_ms),
      busyFrom: Number(row.busy_from),
      busyUntil: Number(row.busy_until),
    }));
  }

  async failures(batchId: string, limit: number): Promise<FailureGroup[]> {
    const rows = await this.#db.read({
      // By line first, so that a line that failed twice in one way is one example.
      sql: `with lines as (
              select status, status_code, error_code, target, line, max(custom_id) as custom_id, max(final) as final,
                count(*) as attempts
              from ledger_entries where batch_id = ?1 and status <> 'succeeded' and line is not null
              group by status, status_code, error_code, target, line),
            failed as (
              select status, status_code, error_code, target, line, custom_id, final,
                sum(attempts) over cause as attempts, sum(final) over cause as requests,
                row_number() over (cause order by final desc, line) as place
              from lines window cause as (partition by status, status_code, error_code, target))
            select * from failed where place <= ?2
            order by requests desc, attempts desc, target, status_code, error_code, status, place limit ?3`,
      args: [batchId, EXAMPLES, limit * EXAMPLES],
    });
    const groups = Map.groupBy(rows, (row) =>
      JSON.stringify([row.status, row.status_code, row.error_code, row.target]),
    );
    return [...groups.values()].slice(0, limit).map(toGroup);
  }
}

function toGroup(rows: readonly Row[]): FailureGroup {
  const [first] = rows as [Row];
  return {
    status: String(first.status) as EntryStatus,
    statusCode: first.status_code === null ? null : Number(first.status_code),
    errorCode: first.error_code === null ? null : String(first.error_code),
    target: String(first.target),
    attempts: Number(first.attempts),
    requests: Number(first.requests),
    examples: rows.map((row) => ({
      line: Number(row.line),
      customId: JSON.parse(String(row.custom_id)) as string,
      final: Number(row.final) === 1,
    })),
  };
}
