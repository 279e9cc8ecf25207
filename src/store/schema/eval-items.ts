import { integer, primaryKey, sqliteTable, text } from '#drizzle';
import type { EvalRow } from '../../protocol/eval-run.ts';

export const evalItems = sqliteTable(
  'eval_items',
  {
    runId: text('run_id').notNull(),
    item: integer('item').notNull(),
    content: text('content', { mode: 'json' }).$type<EvalRow>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.runId, table.item] })],
);
