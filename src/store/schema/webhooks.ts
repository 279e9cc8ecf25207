import { index, integer, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import type { WebhookEventType } from '../../protocol/webhook.ts';

/** Where tenants want to be told of events. */
export const webhooks = sqliteTable(
  'webhooks',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    name: text('name').notNull(),
    url: text('url').notNull(),
    eventTypes: text('event_types', { mode: 'json' }).$type<WebhookEventType[]>().notNull(),
    secret: text('secret').notNull(),
    previousSecret: text('previous_secret'),
    previousUntil: integer('previous_until'),
    disabledAt: integer('disabled_at'),
    disabledReason: text('disabled_reason').$type<NonNullable<WebhookRow['disabledReason']>>(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('webhooks_id').on(table.id), index('webhooks_tenant').on(table.tenantId)],
);
