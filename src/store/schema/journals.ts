import { integer, sqliteTable, text } from '#drizzle';

export const journals = sqliteTable('journals', {
  id: text('id').primaryKey().notNull(),
  /** Lines that were taken over. */
  position: integer('position').notNull(),
});
