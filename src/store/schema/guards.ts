import { check, integer, sql, sqliteTable } from '#drizzle';

/** One row that can only hold a 1: writing a condition into it aborts the write whose condition does not hold. */
export const guards = sqliteTable(
  'guards',
  { id: integer('id').primaryKey(), ok: integer('ok').notNull() },
  (table) => [check('fence', sql`${table.ok} = 1`)],
);
