import { index, integer, sqliteTable, text } from '#drizzle';

/** Lines that shards ask their providers for, where answers may be given again: one shard asks a question at a time. */
export const askedLines = sqliteTable(
  'asked_lines',
  {
    question: text('question').primaryKey().notNull(),
    shardId: text('shard_id').notNull(),
    /** 0-based. */
    line: integer('line').notNull(),
  },
  (table) => [index('asked_lines_shard').on(table.shardId)],
);
