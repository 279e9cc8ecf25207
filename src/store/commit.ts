import { RESULT_STATUSES } from '../core/batch-state.ts';
import type { BatchControl } from '../ports/store-batches.ts';
import type { Commit, CommitOutcome } from '../ports/store-segments.ts';
import { toControl, usageColumns } from './batch-row.ts';
import { type Database, isConstraintFailure, type Statement } from './client.ts';
import { sumEntries } from './ledger-rollup.ts';
import { hasEntries, isAttemptTaken, writeEntries } from './ledger-write.ts';
import { hasPart, insertPart } from './parts.ts';
import { BULK_ROWS, bulkRows, literalList } from './text.ts';

/**
 * See StoreSegments.commit. An attempt number that a late answer took meanwhile is moved to the next free one. A
 * commit that happened, though its answer was lost, is recognised by its part or, without one, by its entries.
 */
export async function commitResults(database: Database, commit: Commit): Promise<CommitOutcome> {
  try {
    return await tryCommit(database, commit, false);
  } catch (error) {
    if (isConstraintFailure(error, 'parts.key')) return repeatOf(database, commit, error);
    if (!isAttemptTaken(error)) throw error;
    if (commit.part === null && (await hasEntries(database, commit.entries))) {
      return { ok: true, control: await readControl(database, commit.batchId) };
    }
    return tryCommit(database, commit, true);
  }
}

async function tryCommit(database: Database, commit: Commit, renumber: boolean): Promise<CommitOutcome> {
  const results = await database.writeIf(leasesHeld(commit), [
    ...(commit.part === null ? [] : [insertPart(commit.part)]),
    ...(await writeEntries(commit.entries, renumber)),
    ...moveSegments(commit),
    advanceBatch(commit),
  ]);
  if (results === null) return repeatOf(database, commit, null);
  const row = results.at(-1)?.rows[0];
  if (row === undefined) throw new Error(`the database did not return batch ${commit.batchId}`);
  return { ok: true, control: toControl(row) };
}

/** The answer to a refused commit: done, if an earlier run of it put its part there; else which leases are gone. */
async function repeatOf(database: Database, commit: Commit, refusal: unknown): Promise<CommitOutcome> {
  if (commit.part !== null && (await hasPart(database, commit.batchId, commit.part.key))) {
    return { ok: true, control: await readControl(database, commit.batchId) };
  }
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

async function readControl(database: Database, batchId: string): Promise<BatchControl> {
  const [row] = await database.read({
    sql: 'select status, stop, paused_at from batches where id = ?',
    args: [batchId],
  });
  if (row === undefined) throw new Error(`there is no batch ${batchId}`);
  return toControl(row);
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

/** The batch's counters. Its last segment makes it due for finalizing at once. */
function advanceBatch(commit: Commit): Statement {
  const finished = commit.segments.filter((segment) => segment.finished).length;
  const usage = usageColumns(commit.usage);
  const sums = sumEntries(commit.entries);
  return {
    sql: `update batches set
            completed = completed + ?, failed = failed + ?,
            input_tokens = input_tokens + ?, cached_tokens = cached_tokens + ?, output_tokens = output_tokens + ?,
            reasoning_tokens = reasoning_tokens + ?, total_tokens = total_tokens + ?,
            amount_nano = amount_nano + ?, list_amount_nano = list_amount_nano + ?,
            entries = entries + ?, unpriced_entries = unpriced_entries + ?,
            next_at = iif(open_segments = ?, min(next_at, ?), next_at),
            open_segments = open_segments - ?
          where id = ?
          returning status, stop, paused_at`,
    args: [
      commit.completed,
      commit.failed,
      usage.inputTokens,
      usage.cachedTokens,
      usage.outputTokens,
      usage.reasoningTokens,
      usage.totalTokens,
      sums.amountNano,
      sums.listAmountNano,
      sums.entries,
      sums.unpricedEntries,
      finished,
      commit.now,
      finished,
      commit.batchId,
    ],
  };
}
