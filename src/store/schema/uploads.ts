import { index, integer, sql, sqliteTable, text } from '#drizzle';
import type { UploadPurpose } from '../../protocol/file.ts';
import type { UploadStatus } from '../../protocol/upload.ts';

export const uploads = sqliteTable(
  'uploads',
  {
    id: text('id').primaryKey().notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    bytes: integer('bytes').notNull(),
    filename: text('filename').notNull(),
    mimeType: text('mime_type').notNull(),
    purpose: text('purpose').$type<UploadPurpose>().notNull(),
    expiresAfterSeconds: integer('expires_after_seconds'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    status: text('status').$type<UploadStatus>().notNull(),
    fileId: text('file_id'),
  },
  (table) => [
    index('uploads_pending').on(table.expiresAt).where(sql`status = 'pending'`),
    index('uploads_key').on(table.keyId, table.bytes).where(sql`status = 'pending'`),
  ],
);
