import { index, integer, sql, sqliteTable, text } from '#drizzle';
import type { SegmentState } from '../../core/segment-state.ts';

export const segments = sqliteTable(
  'segments',
  {
    id: text('id').primaryKey().notNull(),
    batchId: text('batch_id').notNull(),
    tenantId: text('tenant_id').notNull(),
    lane: integer('lane').notNull(),
    queue: text('queue').notNull(),
    firstLine: integer('first_line').notNull(),
    lastLine: integer('last_line').notNull(),
    lines: integer('lines').notNull(),
    state: text('state').$type<SegmentState>().notNull().default('pending'),
    token: text('token'),
    leaseUntil: integer('lease_until'),
    granted: integer('granted').notNull().default(0),
    resumed: integer('resumed', { mode: 'boolean' }).notNull().default(false),
    /** The turn of the batch in which it was leased. */
    turn: integer('turn').notNull().default(0),
    candidate: integer('candidate').notNull().default(0),
  },
  (table) => [
    index('segments_batch').on(table.batchId, table.state),
    index('segments_pending').on(table.queue, table.batchId, table.firstLine).where(sql`state = 'pending'`),
    index('segments_leased').on(table.token).where(sql`state = 'leased'`),
  ],
);
