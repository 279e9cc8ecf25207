import { index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { DeliveryState, WebhookEventType } from '../../protocol/webhook.ts';

/** Events on their way, one row for each endpoint that asked for them. */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    webhookId: text('webhook_id').notNull(),
    eventId: text('event_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    type: text('type').$type<WebhookEventType>().notNull(),
    data: text('data', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    eventAt: integer('event_at').notNull(),
    state: text('state').$type<DeliveryState>().notNull(),
    attempts: integer('attempts').notNull(),
    firstAt: integer('first_at').notNull(),
    nextAt: integer('next_at').notNull(),
    leaseToken: text('lease_token'),
    leaseUntil: integer('lease_until'),
    statusCode: integer('status_code'),
    error: text('error'),
    createdAt: integer('created_at').notNull(),
    attemptedAt: integer('attempted_at'),
    endedAt: integer('ended_at'),
  },
  (table) => [
    uniqueIndex('webhook_deliveries_event').on(table.webhookId, table.eventId),
    index('webhook_deliveries_list').on(table.webhookId, table.seq),
    index('webhook_deliveries_due').on(table.nextAt).where(sql`state = 'pending'`),
    index('webhook_deliveries_ended').on(table.endedAt).where(sql`state <> 'pending'`),
  ],
);
