import { integer, primaryKey, sqliteTable, text } from '#drizzle';
import { seriesColumns, sumColumns } from './ledger-sums.ts';

// In the order in which migrations added them.
const { savingsNano, gpuMicroseconds, ...before } = sumColumns;

/** Sums of the ledger by hour. `first_seq`/`last_seq` bound the rows of ledger_entries that it sums. */
export const ledgerHourly = sqliteTable(
  'ledger_hourly',
  {
    /** Unix seconds of the hour's start. */
    hour: integer('hour').notNull(),
    tenantId: text('tenant_id').notNull(),
    ...seriesColumns,
    ...before,
    firstSeq: integer('first_seq').notNull(),
    lastSeq: integer('last_seq').notNull(),
    savingsNano,
    gpuMicroseconds,
  },
  (table) => [
    primaryKey({
      columns: [
        table.tenantId,
        table.hour,
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
