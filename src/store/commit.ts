import { RESULT_STATUSES } from '../core/batch-state.ts';
import type { Commit, CommitOutcome } from '../ports/store-segments.ts';
import type { Database, Statement } from './client.ts';
import { hasEntries, isAttemptTaken } from './ledger-write.ts';
import { controlIfCommitted, isPartTaken, readControl, writeResults } from './result-write.ts';
import { BULK_ROWS, bulkRows, literalList } from './text.ts';

/**
 * See StoreSegments.commit. An attempt number that a late answer took meanwhile is moved to the next free one. A
 * commit that happened, though its answer was lost, is recognised by its part or, without one, by its entries.
 */
export async function commitResults(database: Database, commit: Commit): Promise<CommitOutcome> {
  try {
    return await tryCommit(database, commit, false);
  } catch (error) {
    if (isPartTaken(error)) return repeatOf(database, commit, error);
    if (!isAttemptTaken(error)) throw error;
    if (commit.part === null && (await hasEntries(database, commit.entries))) {
      return { ok: true, control: await readControl(database, commit) };
    }
    return tryCommit(database, commit, true);
  }
}

async function tryCommit(database: Database, commit: Commit, renumber: boolean): Promise<CommitOutcome> {
  const finished = commit.segments.filter((segment) => segment.finished).length;
  const control = await writeResults(database, leasesHeld(commit), commit, {
    renumber,
    ended: finished,
    also: moveSegments(commit),
  });
  return control === null ? repeatOf(database, commit, null) : { ok: true, control };
}

/** The answer to a refused commit: done, if an earlier run of it put its part there; else which leases are gone. */
async function repeatOf(database: Database, commit: Commit, refusal: unknown): Promise<CommitOutcome> {
  const control = await controlIfCommitted(database, commit);
  if (control !== null) return { ok: true, control };
  if (refusal !== null) throw refusal;
  return { ok: false, lost: await lostSegments(database, commit) };
}

const HELD = `select v ->> 0 as id from r cross join segments s
  where s.id = v ->> 0 and s.token = v ->> 1 and s.batch_id = ? and s.state = 'leased'`;

function leaseRows(commit: Commit): string {
  return bulkRows(commit.segments.map((segment) => [segment.id, segment.token]));
}

/** Every named lease is held, and the batch takes results. */
function leasesHeld(commit: Commit): Statement {
  return {
    sql: `(with ${BULK_ROWS} select count(*) from (${HELD})) = ?
          and exists (select 1 from batches where id = ? and status in (${literalList(RESULT_STATUSES)}))`,
    args: [leaseRows(commit), commit.batchId, commit.segments.length, commit.batchId],
  };
}

async function lostSegments(database: Database, commit: Commit): Promise<string[]> {
  const rows = await database.read({ sql: `with ${BULK_ROWS} ${HELD}`, args: [leaseRows(commit), commit.batchId] });
  const held = new Set(rows.map((row) => row.id));
  return commit.segments.map((segment) => segment.id).filter((id) => !held.has(id));
}

function moveSegments(commit: Commit): Statement[] {
  if (commit.segments.length === 0) return [];
  const rows = commit.segments.map((segment) => [segment.id, segment.granted, segment.finished ? 1 : 0]);
  return [
    {
      sql: `with ${BULK_ROWS}
            update segments set
              granted = v ->> 1,
              state = iif(v ->> 2, 'done', 'leased'),
              token = iif(v ->> 2, null, token),
              lease_until = iif(v ->> 2, null, max(lease_until, ?))
            from r where segments.id = v ->> 0`,
      args: [bulkRows(rows), commit.leaseUntil],
    },
  ];
}
