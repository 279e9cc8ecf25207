import { index, integer, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { EvalDataSourceConfig } from '../../protocol/eval.ts';
import type { GraderSpec } from '../../protocol/eval-grader.ts';
import type { Metadata } from '../../protocol/metadata.ts';

export const evals = sqliteTable(
  'evals',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    name: text('name').notNull(),
    dataSourceConfig: text('data_source_config', { mode: 'json' }).$type<EvalDataSourceConfig>().notNull(),
    testingCriteria: text('testing_criteria', { mode: 'json' }).$type<GraderSpec[]>().notNull(),
    metadata: text('metadata', { mode: 'json' }).$type<Metadata>(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    deletedAt: integer('deleted_at'),
  },
  (table) => [
    uniqueIndex('evals_id').on(table.id),
    index('evals_tenant').on(table.tenantId, table.seq),
    index('evals_updated').on(table.tenantId, table.updatedAt, table.seq),
  ],
);
