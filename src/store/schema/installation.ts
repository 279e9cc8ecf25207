import { integer, sqliteTable, text } from '#drizzle';

/** One row, made by its migration: the word that marks this installation's objects at providers. */
export const installation = sqliteTable('installation', {
  id: integer('id').primaryKey(),
  word: text('word').notNull(),
});
