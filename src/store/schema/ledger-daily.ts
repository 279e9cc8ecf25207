import { integer, primaryKey, sqliteTable, text } from '#drizzle';
import { sumColumns } from './ledger-sums.ts';

/** Sums of the ledger by UTC day: what an overview of any length is read from. */
export const ledgerDaily = sqliteTable(
  'ledger_daily',
  {
    tenantId: text('tenant_id').notNull(),
    /** Unix seconds of the day's start. */
    day: integer('day').notNull(),
    /** Empty where there is no key, as a primary key may not hold null. */
    keyId: text('key_id').notNull(),
    provider: text('provider').notNull(),
    target: text('target').notNull(),
    model: text('model').notNull(),
    mode: text('mode').notNull(),
    status: text('status').notNull(),
    ...sumColumns,
  },
  (table) => [
    primaryKey({
      columns: [
        table.tenantId,
        table.day,
        table.keyId,
        table.provider,
        table.target,
        table.model,
        table.mode,
        table.status,
      ],
    }),
  ],
);
