import { index, integer, sql, sqliteTable, text } from '#drizzle';
import type { Failure } from '../../core/failure.ts';
import type { ShardState } from '../../core/shard-state.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';

export const shards = sqliteTable(
  'shards',
  {
    id: text('id').primaryKey().notNull(),
    batchId: text('batch_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    lane: integer('lane').notNull(),
    candidate: integer('candidate').notNull(),
    provider: text('provider').notNull(),
    model: text('model').notNull(),
    endpoint: text('endpoint').$type<Endpoint>().notNull(),
    firstLine: integer('first_line').notNull(),
    lastLine: integer('last_line').notNull(),
    lines: integer('lines').notNull(),
    bytes: integer('bytes').notNull(),
    tokens: integer('tokens').notNull(),

    state: text('state').$type<ShardState>().notNull(),
    tries: integer('tries').notNull(),
    token: text('token'),
    providerBatchId: text('provider_batch_id'),
    refs: text('refs', { mode: 'json' }).$type<ShardRow['refs']>().notNull(),
    raw: text('raw'),
    counts: text('counts', { mode: 'json' }).$type<NonNullable<ShardRow['counts']>>(),
    failure: text('failure', { mode: 'json' }).$type<Failure>(),
    createdAt: integer('created_at').notNull(),
    submittedAt: integer('submitted_at'),
    progressAt: integer('progress_at'),
    cancelAskedAt: integer('cancel_asked_at'),
    endedAt: integer('ended_at'),
    cleanedAt: integer('cleaned_at'),
    nextAt: integer('next_at').notNull(),

    leaseToken: text('lease_token'),
    leaseUntil: integer('lease_until'),
    hours: text('hours').$type<NonNullable<ShardRow['hours']>>(),
    place: text('place', { mode: 'json' }).$type<NonNullable<ShardRow['place']>>(),
    ranAt: integer('ran_at'),
  },
  (table) => [
    index('shards_batch').on(table.batchId, table.state),
    index('shards_provider').on(table.provider, table.state),
    index('shards_due').on(table.nextAt).where(sql`state <> 'done' or cleaned_at is null`),
    index('shards_token').on(table.token).where(sql`token is not null`),
    index('shards_leased').on(table.leaseToken).where(sql`lease_token is not null`),
  ],
);
