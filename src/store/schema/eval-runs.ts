import { index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { EvalFailure } from '../../ports/store-evals.ts';
import type { EvalDataSource, EvalRow, EvalRunStatus } from '../../protocol/eval-run.ts';
import type { Metadata } from '../../protocol/metadata.ts';

export const evalRuns = sqliteTable(
  'eval_runs',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    evalId: text('eval_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    name: text('name').notNull(),
    metadata: text('metadata', { mode: 'json' }).$type<Metadata>(),
    dataSource: text('data_source', { mode: 'json' }).$type<EvalDataSource>().notNull(),
    content: text('content', { mode: 'json' }).$type<EvalRow[]>(),
    completionWindow: text('completion_window').notNull(),
    status: text('status').$type<EvalRunStatus>().notNull(),
    error: text('error', { mode: 'json' }).$type<EvalFailure>(),
    itemsRead: integer('items_read').notNull(),
    byteOffset: integer('byte_offset').notNull(),
    createdAt: integer('created_at').notNull(),
    startedAt: integer('started_at'),
    endedAt: integer('ended_at'),
    deletedAt: integer('deleted_at'),

    /** 1 while the background work has something left to do, also for a run that was cancelled or deleted. */
    open: integer('open').notNull(),
    leaseToken: text('lease_token'),
    leaseUntil: integer('lease_until'),
    nextAt: integer('next_at').notNull(),
  },
  (table) => [
    uniqueIndex('eval_runs_id').on(table.id),
    index('eval_runs_eval').on(table.evalId, table.seq),
    index('eval_runs_open').on(table.nextAt).where(sql`open = 1`),
  ],
);
