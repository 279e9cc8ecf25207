import { integer, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { StatedPrice } from '../../core/stated-price.ts';

/** Dated prices that administrators stated. A row is never changed. */
export const prices = sqliteTable(
  'prices',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    provider: text('provider').notNull(),
    /** In lower case, as names are looked up. */
    model: text('model').notNull(),
    /** Region and hours that the price is for; empty for all. */
    slot: text('slot').notNull(),
    fromDay: text('from_day').notNull(),
    price: text('price', { mode: 'json' }).$type<StatedPrice>().notNull(),
    source: text('source').notNull(),
    keyId: text('key_id'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('prices_id').on(table.id),
    uniqueIndex('prices_slot').on(table.provider, table.model, table.slot, table.fromDay),
  ],
);
