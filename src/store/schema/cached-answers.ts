import { index, integer, sqliteTable, text } from '#drizzle';

export const cachedAnswers = sqliteTable(
  'cached_answers',
  {
    key: text('key').primaryKey().notNull(),
    tenantId: text('tenant_id').notNull(),
    answer: text('answer').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('cached_answers_expiry').on(table.expiresAt)],
);
