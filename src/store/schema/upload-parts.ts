import { index, integer, sqliteTable, text, uniqueIndex } from '#drizzle';

export const uploadParts = sqliteTable(
  'upload_parts',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    uploadId: text('upload_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    bytes: integer('bytes').notNull(),
    contentKey: text('content_key').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [uniqueIndex('upload_parts_id').on(table.id), index('upload_parts_upload').on(table.uploadId, table.seq)],
);
