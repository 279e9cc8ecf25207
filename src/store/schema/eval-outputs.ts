import { integer, primaryKey, real, sqliteTable, text } from '#drizzle';
import type { EvalItemResult, EvalItemStatus, EvalSample } from '../../protocol/eval-output-item.ts';

export const evalOutputs = sqliteTable(
  'eval_outputs',
  {
    runId: text('run_id').notNull(),
    target: integer('target').notNull(),
    item: integer('item').notNull(),
    status: text('status').$type<EvalItemStatus>().notNull(),
    score: real('score'),
    sample: text('sample', { mode: 'json' }).$type<EvalSample>().notNull(),
    subject: text('subject', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    calls: integer('calls').notNull(),
    answers: text('answers', { mode: 'json' }).$type<Record<string, unknown>>(),
    results: text('results', { mode: 'json' }).$type<EvalItemResult[]>().notNull(),
    provider: text('provider'),
    model: text('model'),
    latencyMs: integer('latency_ms'),
    costNano: integer('cost_nano'),
    inputTokens: integer('input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    truncated: integer('truncated', { mode: 'boolean' }).notNull(),
    refused: integer('refused', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.runId, table.target, table.item] })],
);
