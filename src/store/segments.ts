import type { BatchControl } from '../ports/batch-control.ts';
import type {
  Commit,
  CommitOutcome,
  PartRow,
  SegmentLease,
  SegmentRow,
  StoreSegments,
} from '../ports/store-segments.ts';
import { toControl } from './batch-row.ts';
import { heldBy } from './budget-left.ts';
import { claimDoubtful, claimSegments } from './claim.ts';
import type { Database, Statement } from './client.ts';
import { commitResults } from './commit.ts';
import { partsSince, partsTouching } from './parts.ts';
import { BULK_ROWS, bulkRows } from './text.ts';
import { insertSegments, keepExisting } from './work-rows.ts';

export class LibsqlSegments implements StoreSegments {
  readonly #db: Database;
  readonly #partsTouching;

  constructor(db: Database) {
    this.#db = db;
    this.#partsTouching = partsTouching(db);
  }

  async insertMany(rows: readonly SegmentRow[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#db.write([keepExisting(insertSegments(rows))]);
  }

  claim(query: Parameters<StoreSegments['claim']>[0]): Promise<SegmentLease[]> {
    return claimSegments(this.#db, query);
  }

  claimDoubtful(query: Parameters<StoreSegments['claimDoubtful']>[0]): Promise<SegmentLease[]> {
    return claimDoubtful(this.#db, query);
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    return commitResults(this.#db, commit);
  }

  async renew(held: readonly { id: string; token: string }[], until: number): Promise<Map<string, BatchControl>> {
    if (held.length === 0) return new Map();
    const rows = bulkRows(held.map(({ id, token }) => [id, token]));
    const [, controls] = await this.#db.write([
      {
        sql: `with ${BULK_ROWS}
              update segments set lease_until = max(lease_until, ?) from r
              where segments.id = v ->> 0 and segments.state = 'leased' and segments.token = v ->> 1`,
        args: [rows, until],
      },
      {
        sql: `with ${BULK_ROWS}
              select id, status, stop, paused_at from batches where id in (
                select s.batch_id from r cross join segments s
                where s.id = v ->> 0 and s.state = 'leased' and s.token = v ->> 1)`,
        args: [rows],
      },
    ]);
    return new Map((controls?.rows ?? []).map((row) => [String(row.id), toControl(row)]));
  }

  async release(segments: readonly { id: string; token: string }[]): Promise<void> {
    if (segments.length === 0) return;
    await this.#db.write([
      {
        sql: `with ${BULK_ROWS}
              update segments set state = 'pending', token = null, lease_until = null, granted = 0, resumed = 1
              from r where segments.id = v ->> 0 and segments.state = 'leased' and segments.token = v ->> 1`,
        args: [bulkRows(segments.map((segment) => [segment.id, segment.token]))],
      },
    ]);
  }

  async recover(query: Parameters<StoreSegments['recover']>[0]): Promise<number> {
    const ended = endedLeases(query);
    const [recovered] = await this.#db.write([
      {
        sql: `update segments set state = 'pending', token = null, lease_until = null, resumed = 1
              where state = 'leased' and ${ended.sql}`,
        args: ended.args,
      },
    ]);
    return recovered?.rowsAffected ?? 0;
  }

  parts(batchId: string, firstLine: number, lastLine: number): Promise<PartRow[]> {
    return this.#partsTouching.all({ batchId, firstLine, lastLine });
  }

  partsSince(batchId: string, afterKey: string | null, limit: number): Promise<PartRow[]> {
    return partsSince(this.#db, batchId, afterKey, limit);
  }

  async backlog(): Promise<{ queue: string; pending: number; leased: number }[]> {
    const rows = await this.#db.read({
      sql: `select queue,
              coalesce(sum(lines) filter (where state = 'pending'), 0) as pending,
              coalesce(sum(lines) filter (where state = 'leased'), 0) as leased
            from segments group by queue order by queue`,
      args: [],
    });
    return rows.map((row) => ({
      queue: String(row.queue),
      pending: Number(row.pending),
      leased: Number(row.leased),
    }));
  }
}

function endedLeases(query: Parameters<StoreSegments['recover']>[0]): Statement {
  if ('now' in query) return { sql: 'lease_until < ?', args: [query.now] };
  const held = heldBy('token', '?');
  return 'holder' in query
    ? { sql: held, args: [query.holder, query.holder] }
    : { sql: `not (${held})`, args: [query.others, query.others] };
}
