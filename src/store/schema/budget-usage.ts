import { index, integer, primaryKey, sql, sqliteTable, text } from '#drizzle';

/** What was spent in each period: the sum of the ledger's entries in it, kept in the writes that add them. */
export const budgetPeriods = sqliteTable(
  'budget_periods',
  {
    budgetId: text('budget_id').notNull(),
    startsAt: integer('starts_at').notNull(),
    endsAt: integer('ends_at').notNull(),
    spentNano: integer('spent_nano').notNull(),
  },
  (table) => [primaryKey({ columns: [table.budgetId, table.startsAt] })],
);

/** What a batch or a call may still come to, and what of that is spent by now. */
export const budgetHolds = sqliteTable(
  'budget_holds',
  {
    /** The id of the batch or call. */
    holder: text('holder').notNull(),
    budgetId: text('budget_id').notNull(),
    kind: text('kind').$type<'batch' | 'call'>().notNull(),
    amountNano: integer('amount_nano').notNull(),
    usedNano: integer('used_nano').notNull(),
    createdAt: integer('created_at').notNull(),
    /** A call's hold ends by itself then: its process may have been killed. */
    expiresAt: integer('expires_at'),
    /** What it was at first: `amountNano` is less where a lowered limit took of it. */
    grantedNano: integer('granted_nano').notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.holder, table.budgetId] }), index('budget_holds_budget').on(table.budgetId)],
);

/** What a server may have under way of a batch's lines, while it holds a lease of the batch. */
export const budgetAllowances = sqliteTable(
  'budget_allowances',
  {
    batchId: text('batch_id').notNull(),
    /** The word under which the server leases segments. */
    taker: text('taker').notNull(),
    amountNano: integer('amount_nano').notNull(),
  },
  (table) => [primaryKey({ columns: [table.batchId, table.taker] })],
);

/** What provider batches may come to, from before they are made to the end of their batch. */
export const budgetShards = sqliteTable(
  'budget_shards',
  {
    shardId: text('shard_id').primaryKey().notNull(),
    batchId: text('batch_id').notNull(),
    boundNano: integer('bound_nano').notNull(),
  },
  (table) => [index('budget_shards_batch').on(table.batchId)],
);

/** Thresholds that were passed, each once in a period. */
export const budgetAlerts = sqliteTable(
  'budget_alerts',
  {
    budgetId: text('budget_id').notNull(),
    startsAt: integer('starts_at').notNull(),
    /** Percent of the limit. */
    threshold: integer('threshold').notNull(),
    id: text('id').notNull(),
    spentNano: integer('spent_nano').notNull(),
    limitNano: integer('limit_nano').notNull(),
    createdAt: integer('created_at').notNull(),
    /** When it stood in the outbox. */
    toldAt: integer('told_at'),
  },
  (table) => [
    primaryKey({ columns: [table.budgetId, table.startsAt, table.threshold] }),
    index('budget_alerts_untold').on(table.createdAt).where(sql`told_at is null`),
  ],
);
