import type { Migration } from '../migrate.ts';

/** Batches that came in by a front door of their own, and how many of their requests never ran. */
export const batchFronts: Migration = {
  name: '0015-batch-fronts',
  statements: [
    'alter table batches add column front text',
    'alter table batches add column front_deleted_at integer',
    'alter table batches add column never_run text',
    `create index batches_front on batches (tenant_id, front, seq)
     where front is not null and front_deleted_at is null`,
  ],
};
