import { integer, primaryKey, sqliteTable, text } from '#drizzle';
import type { EvalFailure, EvalStage, EvalTargetSpec } from '../../ports/store-evals.ts';
import type { EvalCriterionResult, EvalModelUsage } from '../../protocol/eval-run.ts';

export const evalTargets = sqliteTable(
  'eval_targets',
  {
    runId: text('run_id').notNull(),
    target: integer('target').notNull(),
    name: text('name').notNull(),
    spec: text('spec', { mode: 'json' }).$type<EvalTargetSpec>().notNull(),
    stage: text('stage').$type<EvalStage>().notNull(),
    error: text('error', { mode: 'json' }).$type<EvalFailure>(),
    cursor: integer('cursor').notNull(),
    batchId: text('batch_id'),
    judgeBatchId: text('judge_batch_id'),
    embeddingBatchId: text('embedding_batch_id'),
    passed: integer('passed').notNull(),
    failed: integer('failed').notNull(),
    errored: integer('errored').notNull(),
    criteria: text('criteria', { mode: 'json' }).$type<EvalCriterionResult[]>().notNull(),
    usage: text('usage', { mode: 'json' }).$type<EvalModelUsage[]>().notNull(),
    otherJudgeBatchIds: text('other_judge_batch_ids', { mode: 'json' }).$type<string[]>().notNull().default([]),
  },
  (table) => [primaryKey({ columns: [table.runId, table.target] })],
);
