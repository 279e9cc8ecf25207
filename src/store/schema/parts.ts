import { index, integer, sqliteTable, text, uniqueIndex } from '#drizzle';

/** What every table of parts has of them; new for each, as a table owns its columns. */
export const partColumns = () => ({
  seq: integer('seq').primaryKey({ autoIncrement: true }),
  key: text('key').notNull(),
  batchId: text('batch_id').notNull(),
  firstLine: integer('first_line').notNull(),
  lastLine: integer('last_line').notNull(),
  count: integer('count').notNull(),
  bytes: integer('bytes').notNull(),
  indexOffset: integer('index_offset').notNull(),
  createdAt: integer('created_at').notNull(),
});

const { seq, key, batchId, ...placed } = partColumns();

export const parts = sqliteTable(
  'parts',
  {
    seq,
    key,
    batchId,
    tenantId: text('tenant_id').notNull(),
    ...placed,
    /** Line-milliseconds in flight between two moments (Unix milliseconds), of lines that were sent one by one. */
    busyMs: integer('busy_ms'),
    busyFrom: integer('busy_from'),
    busyUntil: integer('busy_until'),
  },
  (table) => [
    uniqueIndex('parts_key').on(table.key),
    index('parts_lines').on(table.batchId, table.firstLine, table.lastLine),
    index('parts_batch').on(table.batchId, table.seq),
  ],
);
