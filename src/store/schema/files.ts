import { index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { PlanSummary } from '../../core/plan.ts';
import type { FilePurpose } from '../../protocol/file.ts';

export const files = sqliteTable(
  'files',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    filename: text('filename').notNull(),
    purpose: text('purpose').$type<FilePurpose>().notNull(),
    bytes: integer('bytes').notNull(),
    sha256: text('sha256').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
    deletedAt: integer('deleted_at'),
    purgedAt: integer('purged_at'),
    contentKey: text('content_key').notNull(),
    planKey: text('plan_key'),
    plan: text('plan', { mode: 'json' }).$type<PlanSummary>(),
  },
  (table) => [
    uniqueIndex('files_id').on(table.id),
    index('files_tenant').on(table.tenantId, table.seq),
    index('files_key').on(table.keyId, table.bytes).where(sql`deleted_at is null`),
    index('files_expiring').on(table.expiresAt).where(sql`deleted_at is null and expires_at is not null`),
    index('files_unpurged').on(table.deletedAt).where(sql`deleted_at is not null and purged_at is null`),
  ],
);
