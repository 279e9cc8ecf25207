import { index, integer, primaryKey, sqliteTable, text } from '#drizzle';

export const idempotency = sqliteTable(
  'idempotency',
  {
    tenantId: text('tenant_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    seed: text('seed').notNull(),
    status: integer('status'),
    body: text('body'),
    createdAt: integer('created_at').notNull(),
    /** The run that holds the key is given up at this time; 0 when nobody holds it. */
    lockedUntil: integer('locked_until').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] }), index('idempotency_created').on(table.createdAt)],
);
