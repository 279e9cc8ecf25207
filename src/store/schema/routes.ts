import { integer, sqliteTable, text, uniqueIndex } from '#drizzle';

export const routes = sqliteTable(
  'routes',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    config: text('config', { mode: 'json' }).$type<unknown>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('routes_name').on(table.tenantId, table.name)],
);
