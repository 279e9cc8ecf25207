import { integer, primaryKey, sqliteTable, text } from '#drizzle';
import { seriesColumns, sumColumns } from './ledger-sums.ts';

/** Sums of the ledger by UTC day: what an overview of any length is read from. */
export const ledgerDaily = sqliteTable(
  'ledger_daily',
  {
    tenantId: text('tenant_id').notNull(),
    /** Unix seconds of the day's start. */
    day: integer('day').notNull(),
    ...seriesColumns,
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
