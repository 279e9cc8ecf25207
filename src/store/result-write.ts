import type { BatchControl } from '../ports/store-batches.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import type { PartRow } from '../ports/store-segments.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import { toControl, usageColumns } from './batch-row.ts';
import { type Argument, type Database, isConstraintFailure, type Statement } from './client.ts';
import { sumEntries } from './ledger-rollup.ts';
import { writeEntries } from './ledger-write.ts';
import { hasPart, insertPart } from './parts.ts';

/** Results of one batch that are made durable together. */
export interface Results {
  batchId: string;
  part: PartRow | null;
  entries: readonly LedgerEntryRow[];
  completed: number;
  failed: number;
  usage: BatchUsage;
}

/** What else happens in the write. */
interface Step {
  renumber: boolean;
  /** Open work that ends with it, and when. */
  ended?: { count: number; now: number };
  also?: readonly Statement[];
}

/** Part, entries, rollups and the batch's counters in one write; null, with nothing written, when `fence` does not hold. */
export async function writeResults(
  database: Database,
  fence: Statement,
  results: Results,
  { renumber, ended, also = [] }: Step,
): Promise<BatchControl | null> {
  const written = await database.writeIf(fence, [
    ...(results.part === null ? [] : [insertPart(results.part)]),
    ...(await writeEntries(results.entries, renumber ? 'renumber' : 'lines')),
    ...also,
    advanceBatch(results, ended),
  ]);
  if (written === null) return null;
  const row = written.at(-1)?.rows[0];
  if (row === undefined) throw new Error(`the database did not return batch ${results.batchId}`);
  return toControl(row);
}

/** Whether a write failed on a part that is there. */
export function isPartTaken(error: unknown): boolean {
  return isConstraintFailure(error, 'parts.key');
}

/** The batch's control when an earlier run of the same commit put its part there; else null. */
export async function controlIfCommitted(
  database: Database,
  { batchId, part }: Pick<Results, 'batchId' | 'part'>,
): Promise<BatchControl | null> {
  if (part === null || !(await hasPart(database, batchId, part.key))) return null;
  return readControl(database, batchId);
}

export async function readControl(database: Database, batchId: string): Promise<BatchControl> {
  const [row] = await database.read({
    sql: 'select status, stop, paused_at from batches where id = ?',
    args: [batchId],
  });
  if (row === undefined) throw new Error(`there is no batch ${batchId}`);
  return toControl(row);
}

/**
 * SQL that takes `ended` (an expression, used twice, with the time as parameter between) off a batch's open work. The
 * last of it makes the batch due for finalizing at once.
 */
export function endWork(ended: string): string {
  return `next_at = iif(open_segments = ${ended}, min(next_at, ?), next_at), open_segments = open_segments - ${ended}`;
}

function advanceBatch(results: Results, ended: Step['ended']): Statement {
  const usage = usageColumns(results.usage);
  const sums = sumEntries(results.entries);
  const work: { sql: string; args: Argument[] } =
    ended === undefined
      ? { sql: '', args: [] }
      : { sql: `, ${endWork('?')}`, args: [ended.count, ended.now, ended.count] };
  return {
    sql: `update batches set
            completed = completed + ?, failed = failed + ?,
            input_tokens = input_tokens + ?, cached_tokens = cached_tokens + ?, output_tokens = output_tokens + ?,
            reasoning_tokens = reasoning_tokens + ?, total_tokens = total_tokens + ?,
            amount_nano = amount_nano + ?, list_amount_nano = list_amount_nano + ?,
            entries = entries + ?, unpriced_entries = unpriced_entries + ?${work.sql}
          where id = ?
          returning status, stop, paused_at`,
    args: [
      results.completed,
      results.failed,
      usage.inputTokens,
      usage.cachedTokens,
      usage.outputTokens,
      usage.reasoningTokens,
      usage.totalTokens,
      sums.amountNano,
      sums.listAmountNano,
      sums.entries,
      sums.unpricedEntries,
      ...work.args,
      results.batchId,
    ],
  };
}
