import { sqliteTable, text } from '#drizzle';
import type { Rates } from '../../core/rates.ts';

/** The rates that ledger entries were priced with, each set once; the id is a hash of the content. */
export const rateSets = sqliteTable('rate_sets', {
  id: text('id').primaryKey().notNull(),
  rates: text('rates', { mode: 'json' }).$type<Rates>().notNull(),
});
