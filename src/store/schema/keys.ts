import { integer, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { KeyLimits, KeyRole } from '../../protocol/key.ts';

export const keys = sqliteTable(
  'keys',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    role: text('role').$type<KeyRole>().notNull(),
    prefix: text('prefix').notNull(),
    hash: text('hash').notNull(),
    createdAt: integer('created_at').notNull(),
    revokedAt: integer('revoked_at'),
    limits: text('limits', { mode: 'json' }).$type<KeyLimits>(),
  },
  (table) => [uniqueIndex('keys_id').on(table.id), uniqueIndex('keys_hash').on(table.hash)],
);
