import type { Migration } from '../migrate.ts';

/** Tenants take turns, and the batches of a tenant by their priority. */
export const batchPriority: Migration = {
  name: '0010-batch-priority',
  statements: [
    'alter table batches add column priority integer not null default 0',
    'alter table batches add column due_turn integer not null default 0',
    'update batches set due_turn = turn',
    `create index batches_turn on batches (tenant_id, turn)
     where status = 'in_progress' and stop is null and paused_at is null`,
    `create index batches_due_turn on batches (tenant_id, due_turn, seq)
     where status = 'in_progress' and stop is null and paused_at is null`,
  ],
};
