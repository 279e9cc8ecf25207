import { index, sqliteTable, text } from '#drizzle';

/** The tags of ledger entries, each set once per tenant; the id is a hash of tenant and content. */
export const tagSets = sqliteTable(
  'tag_sets',
  {
    id: text('id').primaryKey().notNull(),
    tenantId: text('tenant_id').notNull(),
    tags: text('tags', { mode: 'json' }).$type<Record<string, string>>().notNull(),
  },
  (table) => [index('tag_sets_tenant').on(table.tenantId)],
);
