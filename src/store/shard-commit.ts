import { RESULT_STATUSES } from '../core/batch-state.ts';
import { addBatchUsage, addUsage, emptyUsage, toBatchUsage } from '../core/usage.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import type { ShardCommit, StoreShards } from '../ports/store-shards.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import { useShard } from './budget-holds.ts';
import type { Database, Statement } from './client.ts';
import { sumEntries } from './ledger-rollup.ts';
import { controlIfCommitted, isPartTaken, writeResults } from './result-write.ts';
import { withoutLedgered } from './shard-entries.ts';
import { insertSparePart } from './spare-parts.ts';
import { literalList } from './text.ts';

type Outcome = Awaited<ReturnType<StoreShards['commit']>>;

/** See StoreShards.commit. A commit that happened, though its answer was lost, is recognised by its part. */
export async function commitShard(database: Database, commit: ShardCommit): Promise<Outcome> {
  try {
    const control = await withoutLedgered(database, commit.entries, (fresh, decidedBefore) =>
      writeResults(
        database,
        leaseHeld(commit),
        { ...takeOff(commit, decidedBefore), entries: fresh },
        {
          renumber: true,
          also: [
            ...useShard(commit.shardId, sumEntries(fresh).amountNano),
            ...(commit.spare ? [insertSparePart(commit.spare)] : []),
          ],
        },
      ),
    );
    return control === null ? repeatOf(database, commit, null) : { ok: true, control };
  } catch (error) {
    if (!isPartTaken(error)) throw error;
    return repeatOf(database, commit, error);
  }
}

async function repeatOf(database: Database, commit: ShardCommit, refusal: unknown): Promise<Outcome> {
  const control = await controlIfCommitted(database, commit);
  if (control !== null) return { ok: true, control };
  if (refusal !== null) throw refusal;
  return { ok: false };
}

/** The lease is held, and the batch takes results. */
function leaseHeld({ batchId, shardId, leaseToken }: ShardCommit): Statement {
  return {
    sql: `exists (select 1 from shards where id = ? and batch_id = ? and lease_token = ?)
          and exists (select 1 from batches where id = ? and status in (${literalList(RESULT_STATUSES)}))`,
    args: [shardId, batchId, leaseToken, batchId],
  };
}

/** The commit without what these entries, each of which decides its line, count for. */
function takeOff(commit: ShardCommit, decided: readonly LedgerEntryRow[]): ShardCommit {
  const succeeded = decided.filter((entry) => entry.status === 'succeeded');
  const usage = succeeded.reduce((sum, entry) => addUsage(sum, entry.usage ?? emptyUsage), emptyUsage);
  return {
    ...commit,
    completed: commit.completed - succeeded.length,
    failed: commit.failed - (decided.length - succeeded.length),
    usage: addBatchUsage(commit.usage, negative(toBatchUsage(usage))),
  };
}

function negative(usage: BatchUsage): BatchUsage {
  return {
    input_tokens: -usage.input_tokens,
    input_tokens_details: { cached_tokens: -usage.input_tokens_details.cached_tokens },
    output_tokens: -usage.output_tokens,
    output_tokens_details: { reasoning_tokens: -usage.output_tokens_details.reasoning_tokens },
    total_tokens: -usage.total_tokens,
  };
}
