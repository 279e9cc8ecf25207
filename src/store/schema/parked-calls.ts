import { index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { Endpoint } from '../../protocol/endpoint.ts';
import type { Metadata } from '../../protocol/metadata.ts';

export const parkedCalls = sqliteTable(
  'parked_calls',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    dedupe: text('dedupe').notNull(),
    named: integer('named', { mode: 'boolean' }).notNull(),
    fingerprint: text('fingerprint').notNull(),
    groupKey: text('group_key').notNull(),
    endpoint: text('endpoint').$type<Endpoint>().notNull(),
    config: text('config', { mode: 'json' }).$type<unknown>(),
    window: text('window').notNull(),
    metadata: text('metadata', { mode: 'json' }).$type<Metadata>(),
    body: text('body').notNull(),
    createdAt: integer('created_at').notNull(),
    groupId: text('group_id'),
    batchId: text('batch_id'),
    status: integer('status'),
    answer: text('answer'),
    deliveredAt: integer('delivered_at'),
  },
  (table) => [
    uniqueIndex('parked_calls_id').on(table.id),
    index('parked_calls_dedupe').on(table.tenantId, table.dedupe),
    uniqueIndex('parked_calls_named').on(table.tenantId, table.dedupe).where(sql`named = 1`),
    index('parked_calls_waiting').on(table.groupKey, table.createdAt).where(sql`group_id is null`),
    index('parked_calls_open').on(table.groupId).where(sql`status is null and group_id is not null`),
    index('parked_calls_group').on(table.groupId, table.seq),
    index('parked_calls_created').on(table.createdAt),
  ],
);
