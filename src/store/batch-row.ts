import { getTableColumns, type SQL, sql } from '#drizzle';
import type { BatchControl } from '../ports/batch-control.ts';
import type { BatchRow } from '../ports/store-batches.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import { batches } from './schema/batches.ts';

const {
  seq: _seq,
  leaseToken: _token,
  leaseUntil: _until,
  nextAt: _nextAt,
  turn: _turn,
  dueTurn: _dueTurn,
  amountNano,
  listAmountNano,
  ...plain
} = getTableColumns(batches);

/** What is read of a batch. Sums of money come as text, as the client refuses integers beyond 2^53. */
export const batchColumns = { ...plain, amountNano: asBigInt(amountNano), listAmountNano: asBigInt(listAmountNano) };

function asBigInt(column: typeof amountNano | typeof listAmountNano): SQL<bigint> {
  return sql`cast(${column} as text)`.mapWith((text: string) => BigInt(text));
}

type StoredBatch = Omit<
  typeof batches.$inferSelect,
  'seq' | 'leaseToken' | 'leaseUntil' | 'nextAt' | 'turn' | 'dueTurn'
>;

export function toBatchRow(stored: StoredBatch): BatchRow {
  const { inputTokens, cachedTokens, outputTokens, reasoningTokens, totalTokens, ...row } = stored;
  return {
    ...row,
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: cachedTokens },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: totalTokens,
    },
  };
}

/** The values of a new batch. Its work is due at once. */
export function toStoredBatch({ usage, ...row }: BatchRow): typeof batches.$inferInsert {
  return { ...row, ...usageColumns(usage), nextAt: row.createdAt };
}

export function usageColumns(usage: BatchUsage) {
  return {
    inputTokens: usage.input_tokens,
    cachedTokens: usage.input_tokens_details.cached_tokens,
    outputTokens: usage.output_tokens,
    reasoningTokens: usage.output_tokens_details.reasoning_tokens,
    totalTokens: usage.total_tokens,
  };
}

/** Reads the columns `status`, `stop`, `paused_at` and, where it has one, `allowance_nano` of a raw row. */
export function toControl(row: Record<string, unknown>): BatchControl {
  return {
    status: row.status as BatchControl['status'],
    stop: row.stop as BatchControl['stop'],
    paused: row.paused_at !== null,
    ...(row.allowance_nano !== undefined && {
      allowanceNano: row.allowance_nano === null ? null : Number(row.allowance_nano),
    }),
  };
}
