import type { AllowanceAsk } from '../core/budget-allowance.ts';
import type { BatchControl } from '../ports/batch-control.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import type { PartRow } from '../ports/store-segments.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import { toControl, usageColumns } from './batch-row.ts';
import { stopBatches } from './batch-stop.ts';
import { ALLOWANCE_COLUMN, drawAllowance } from './budget-draw.ts';
import { leftFor } from './budget-left.ts';
import { type Argument, type Database, isConstraintFailure, type Statement } from './client.ts';
import { sumEntries } from './ledger-rollup.ts';
import { writeEntries } from './ledger-write.ts';
import { hasPart, insertPart } from './parts.ts';

/** What a commit answers of its batch, and of what its server may have under way; the parameter is whose that is. */
const CONTROL_COLUMNS = `status, stop, paused_at, ${ALLOWANCE_COLUMN}`;

/** Results of one batch that are made durable together. */
export interface Results {
  batchId: string;
  now: number;
  part: PartRow | null;
  entries: readonly LedgerEntryRow[];
  completed: number;
  failed: number;
  usage: BatchUsage;
  /** What its server may have under way afterwards, where it runs lines by itself. */
  allowance?: AllowanceAsk;
}

/** What else happens in the write. */
interface Step {
  renumber: boolean;
  /** Open work that ends with it. */
  ended?: number;
  also?: readonly Statement[];
}

/** Part, entries, rollups and the batch's counters in one write; null, with nothing written, when `fence` does not hold. */
export async function writeResults(
  database: Database,
  fence: Statement,
  results: Results,
  { renumber, ended = 0, also = [] }: Step,
): Promise<BatchControl | null> {
  const written = await database.writeIf(fence, [
    ...(results.part === null ? [] : [insertPart(results.part)]),
    ...(await writeEntries(results.entries, renumber ? 'renumber' : 'lines')),
    ...also,
    stopBatches(
      results.now,
      `id = ?2 and open_segments > ?3 and ${leftFor('batches.id', '?1', { drawn: false })} <= 0`,
      [results.batchId, ended],
    ),
    ...(results.allowance ? [drawAllowance(results.batchId, results.now, results.allowance)] : []),
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
  results: Pick<Results, 'batchId' | 'part' | 'allowance'>,
): Promise<BatchControl | null> {
  const { batchId, part } = results;
  if (part === null || !(await hasPart(database, batchId, part.key))) return null;
  return readControl(database, results);
}

export async function readControl(
  database: Database,
  { batchId, allowance }: Pick<Results, 'batchId' | 'allowance'>,
): Promise<BatchControl> {
  const [row] = await database.read({
    sql: `select ${CONTROL_COLUMNS} from batches where id = ?`,
    args: [allowance?.taker ?? null, batchId],
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

function advanceBatch(results: Results, ended: number): Statement {
  const usage = usageColumns(results.usage);
  const sums = sumEntries(results.entries);
  const work: { sql: string; args: Argument[] } =
    ended === 0 ? { sql: '', args: [] } : { sql: `, ${endWork('?')}`, args: [ended, results.now, ended] };
  return {
    sql: `update batches set
            completed = completed + ?, failed = failed + ?,
            input_tokens = input_tokens + ?, cached_tokens = cached_tokens + ?, output_tokens = output_tokens + ?,
            reasoning_tokens = reasoning_tokens + ?, total_tokens = total_tokens + ?,
            amount_nano = amount_nano + ?, list_amount_nano = list_amount_nano + ?,
            entries = entries + ?, unpriced_entries = unpriced_entries + ?${work.sql}
          where id = ?
          returning ${CONTROL_COLUMNS}`,
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
      results.allowance?.taker ?? null,
    ],
  };
}
