import { index, integer, sqliteTable, text } from '#drizzle';
import type { KeyRole } from '../../protocol/key.ts';

export const sessions = sqliteTable(
  'sessions',
  {
    hash: text('hash').primaryKey().notNull(),
    keyId: text('key_id'),
    tenantId: text('tenant_id').notNull(),
    role: text('role').$type<KeyRole>().notNull(),
    operatorProof: text('operator_proof'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('sessions_expiring').on(table.expiresAt)],
);
