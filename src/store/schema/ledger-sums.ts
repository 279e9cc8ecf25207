import { integer, text } from '#drizzle';

/** What every sum of the ledger is told apart by, beside its tenant and its time. */
export const seriesColumns = {
  /** Empty where there is no key, as a primary key may not hold null. */
  keyId: text('key_id').notNull(),
  provider: text('provider').notNull(),
  target: text('target').notNull(),
  model: text('model').notNull(),
  mode: text('mode').notNull(),
  status: text('status').notNull(),
};

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
