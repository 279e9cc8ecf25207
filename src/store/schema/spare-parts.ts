import { index, sqliteTable } from '#drizzle';
import { partColumns } from './parts.ts';

/** Parts of answers that were not taken, for lines whose next try comes to nothing. */
export const spareParts = sqliteTable('spare_parts', partColumns(), (table) => [
  index('spare_parts_batch').on(table.batchId, table.seq),
]);
