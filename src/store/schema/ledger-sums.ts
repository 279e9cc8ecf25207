import { integer } from '#drizzle';

/** The sums that every rollup of the ledger keeps. Reversals are negative, so a sum may be. */
export const sumColumns = {
  entries: integer('entries').notNull(),
  requests: integer('requests').notNull(),
  inputTokens: integer('input_tokens').notNull(),
  cachedInputTokens: integer('cached_input_tokens').notNull(),
  outputTokens: integer('output_tokens').notNull(),
  amountNano: integer('amount_nano').notNull(),
  listAmountNano: integer('list_amount_nano').notNull(),
  unpricedEntries: integer('unpriced_entries').notNull(),
  /** List amount less amount, of the entries that have both. */
  savingsNano: integer('savings_nano').notNull().default(0),
  /** Time on pools that are paid by the hour. */
  gpuMicroseconds: integer('gpu_microseconds').notNull().default(0),
};
