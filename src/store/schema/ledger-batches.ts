import { index, integer, primaryKey, sqliteTable, text } from '#drizzle';
import { seriesColumns, sumColumns } from './ledger-sums.ts';

/** Sums of the ledger by batch and set of tags, a row for each hour of it. */
export const ledgerBatches = sqliteTable(
  'ledger_batches',
  {
    /** Empty for entries of no batch. */
    batchId: text('batch_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    /** Empty for entries without tags. */
    tagsId: text('tags_id').notNull(),
    /** Unix seconds of the hour's start. */
    hour: integer('hour').notNull(),
    ...seriesColumns,
    ...sumColumns,
  },
  (table) => [
    primaryKey({
      columns: [
        table.batchId,
        table.tenantId,
        table.tagsId,
        table.hour,
        table.keyId,
        table.provider,
        table.target,
        table.model,
        table.mode,
        table.status,
      ],
    }),
    index('ledger_batches_hour').on(table.tenantId, table.hour),
  ],
);
