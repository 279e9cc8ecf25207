import { customType, index, integer, sql, sqliteTable, text, uniqueIndex } from '#drizzle';
import type { Lane } from '../../core/lane.ts';
import type { StopReason } from '../../ports/batch-control.ts';
import type { BatchEstimate, BatchFront, BatchOptions, NeverRun } from '../../ports/store-batches.ts';
import type { BatchError, BatchStatus } from '../../protocol/batch.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import type { Metadata } from '../../protocol/metadata.ts';

/** Sums of nano-USD, which may exceed 2^53: read them as text (src/store/batch-row.ts), never as a number. */
const nano = customType<{ data: bigint; driverData: bigint }>({ dataType: () => 'integer' });

export const batches = sqliteTable(
  'batches',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    endpoint: text('endpoint').$type<Endpoint>().notNull(),
    completionWindow: text('completion_window').notNull(),
    inputFileId: text('input_file_id').notNull(),
    metadata: text('metadata', { mode: 'json' }).$type<Metadata>(),
    configName: text('config_name'),
    route: text('route', { mode: 'json' }).$type<unknown>(),
    outputExpiresAfterSeconds: integer('output_expires_after_seconds'),
    retryOf: text('retry_of'),

    status: text('status').$type<BatchStatus>().notNull(),
    stop: text('stop').$type<StopReason>(),
    pausedAt: integer('paused_at'),
    errors: text('errors', { mode: 'json' }).$type<BatchError[]>(),
    model: text('model'),
    outputFileId: text('output_file_id'),
    errorFileId: text('error_file_id'),
    createdAt: integer('created_at').notNull(),
    inProgressAt: integer('in_progress_at'),
    expiresAt: integer('expires_at').notNull(),
    finalizingAt: integer('finalizing_at'),
    completedAt: integer('completed_at'),
    failedAt: integer('failed_at'),
    expiredAt: integer('expired_at'),
    cancellingAt: integer('cancelling_at'),
    cancelledAt: integer('cancelled_at'),

    total: integer('total').notNull(),
    completed: integer('completed').notNull(),
    failed: integer('failed').notNull(),
    inputTokens: integer('input_tokens').notNull(),
    cachedTokens: integer('cached_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    reasoningTokens: integer('reasoning_tokens').notNull(),
    totalTokens: integer('total_tokens').notNull(),
    amountNano: nano('amount_nano').notNull(),
    listAmountNano: nano('list_amount_nano').notNull(),
    entries: integer('entries').notNull(),
    unpricedEntries: integer('unpriced_entries').notNull(),

    lanes: text('lanes', { mode: 'json' }).$type<Lane[]>().notNull(),
    lanesKey: text('lanes_key'),
    openSegments: integer('open_segments').notNull(),

    /** Who does the batch-level work, until when, and when there is work again. */
    leaseToken: text('lease_token'),
    leaseUntil: integer('lease_until'),
    nextAt: integer('next_at').notNull(),
    /** Grows with every claim of the batch's segments: the smallest was served longest ago. */
    turn: integer('turn').notNull().default(0),

    options: text('options', { mode: 'json' }).$type<BatchOptions>(),
    estimate: text('estimate', { mode: 'json' }).$type<BatchEstimate>(),
    priority: integer('priority').notNull().default(0),
    /** Its turn, brought forward by its priority: the order among its tenant's batches. */
    dueTurn: integer('due_turn').notNull().default(0),

    front: text('front').$type<BatchFront>(),
    frontDeletedAt: integer('front_deleted_at'),
    neverRun: text('never_run', { mode: 'json' }).$type<NeverRun>(),
  },
  (table) => [
    uniqueIndex('batches_id').on(table.id),
    index('batches_tenant').on(table.tenantId, table.seq),
    index('batches_input')
      .on(table.inputFileId)
      .where(sql`status in ('validating', 'in_progress', 'finalizing', 'cancelling')`),
    index('batches_key')
      .on(table.keyId)
      .where(sql`status in ('validating', 'in_progress', 'finalizing', 'cancelling')`),
    index('batches_status').on(table.status, table.turn),
    index('batches_turn')
      .on(table.tenantId, table.turn)
      .where(sql`status = 'in_progress' and stop is null and paused_at is null`),
    index('batches_front')
      .on(table.tenantId, table.front, table.seq)
      .where(sql`front is not null and front_deleted_at is null`),
    index('batches_due_turn')
      .on(table.tenantId, table.dueTurn, table.seq)
      .where(sql`status = 'in_progress' and stop is null and paused_at is null`),
  ],
);
