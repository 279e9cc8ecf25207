import { integer, sqliteTable, text } from '#drizzle';

/** The servers that work on this database. */
export const servers = sqliteTable('servers', {
  id: text('id').primaryKey().notNull(),
  /** Unix seconds: when it last said so. */
  seenAt: integer('seen_at').notNull(),
});
