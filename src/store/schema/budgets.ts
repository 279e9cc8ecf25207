import { index, integer, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { BudgetPeriod, OnInsufficient, UnpricedRule } from '../../protocol/budget.ts';

/** What may be spent. Scope columns that are empty or null let everything through; by the empty ones budgets are found. */
export const budgets = sqliteTable(
  'budgets',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    name: text('name').notNull(),
    ownerTenantId: text('owner_tenant_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id').notNull(),
    tagKey: text('tag_key'),
    tagValue: text('tag_value'),
    route: text('route'),
    limitNano: integer('limit_nano').notNull(),
    period: text('period').$type<BudgetPeriod>().notNull(),
    timeZone: text('time_zone').notNull(),
    /** When the one period of a total budget begins. */
    since: integer('since').notNull(),
    onInsufficient: text('on_insufficient').$type<OnInsufficient>().notNull(),
    unpriced: text('unpriced').$type<UnpricedRule>().notNull(),
    thresholds: text('thresholds', { mode: 'json' }).$type<number[]>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('budgets_id').on(table.id), index('budgets_scope').on(table.keyId, table.tenantId)],
);
