import { index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { Usage } from '../../core/usage.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import type { EntryStatus } from '../../protocol/ledger.ts';

/**
 * One row per attempt. Its indexes are few, as every request pays for each of them: a range of time is found through
 * the rows' order of arrival, whose bounds the hourly rollups keep (src/store/ledger-filter.ts).
 */
export const ledgerEntries = sqliteTable(
  'ledger_entries',
  {
    seq: integer('seq').primaryKey(),
    /** Null for an entry with batch and line: its id is derived from them (src/store/entry-id.ts). */
    id: text('id'),
    createdAt: integer('created_at').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    batchId: text('batch_id'),
    /** JSON, as it may hold what SQLite text cannot: U+0000 and lone surrogates. */
    customId: text('custom_id', { mode: 'json' }).$type<string>(),
    line: integer('line'),
    attempt: integer('attempt').notNull(),
    mode: text('mode').$type<LedgerEntryRow['mode']>().notNull(),
    provider: text('provider').notNull(),
    target: text('target').notNull(),
    model: text('model').notNull(),
    servedModel: text('served_model'),
    status: text('status').$type<EntryStatus>().notNull(),
    final: integer('final', { mode: 'boolean' }).notNull(),
    statusCode: integer('status_code'),
    errorCode: text('error_code'),
    usage: text('usage', { mode: 'json' }).$type<Usage>(),
    rawUsage: text('raw_usage', { mode: 'json' }).$type<object>(),
    inputTokens: integer('input_tokens').notNull(),
    cachedInputTokens: integer('cached_input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    ratesId: text('rates_id'),
    priceVersion: text('price_version'),
    amountNano: integer('amount_nano'),
    listAmountNano: integer('list_amount_nano'),
    estimated: integer('estimated', { mode: 'boolean' }).notNull(),
    unpricedReason: text('unpriced_reason'),
    tagsId: text('tags_id'),
    latencyMs: integer('latency_ms'),
    shardId: text('shard_id'),
    /** Places of the entries that this one takes back, or states anew; their attempt numbers are below zero. */
    reverses: integer('reverses'),
    corrects: integer('corrects'),
    /** Why there is a reversal or a correction. */
    note: text('note'),
    /** Name of the route that the request went by; null where it named its target, or wrote its route out. */
    route: text('route'),
    /** Of a reversal or a correction: the shard whose provider batch brought what it is about. */
    adjustsShard: text('adjusts_shard'),
    /** When the provider ran it; null where that is when it was entered. */
    ranAt: integer('ran_at'),
  },
  (table) => [
    uniqueIndex('ledger_entries_attempt').on(table.batchId, table.line, table.attempt),
    uniqueIndex('ledger_entries_id').on(table.id).where(sql`id is not null`),
    index('ledger_entries_batch').on(table.batchId),
    index('ledger_entries_tenant').on(table.tenantId),
    uniqueIndex('ledger_entries_reverses').on(table.reverses).where(sql`reverses is not null`),
    index('ledger_entries_unpriced').on(table.tenantId, table.seq).where(sql`amount_nano is null`),
    uniqueIndex('ledger_entries_shard').on(table.shardId, table.line).where(sql`shard_id is not null`),
    index('ledger_entries_adjusts_shard').on(table.adjustsShard).where(sql`adjusts_shard is not null`),
  ],
);
