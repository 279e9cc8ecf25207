import { index, integer, sqliteTable, text } from '#drizzle';

/** Parts of answers that were not taken, for lines whose next try comes to nothing. */
export const spareParts = sqliteTable(
  'spare_parts',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    key: text('key').notNull(),
    batchId: text('batch_id').notNull(),
    firstLine: integer('first_line').notNull(),
    lastLine: integer('last_line').notNull(),
    count: integer('count').notNull(),
    bytes: integer('bytes').notNull(),
    indexOffset: integer('index_offset').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [index('spare_parts_batch').on(table.batchId, table.seq)],
);
