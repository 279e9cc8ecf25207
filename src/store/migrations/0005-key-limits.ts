import type { Migration } from '../migrate.ts';

/** What a key may use, and how what it uses is found. */
export const keyLimits: Migration = {
  name: '0005-key-limits',
  statements: [
    'alter table keys add column limits text',
    'create index files_key on files (key_id, bytes) where deleted_at is null',
    `create index uploads_key on uploads (key_id, bytes) where status = 'pending'`,
    `create index batches_key on batches (key_id)
     where status in ('validating', 'in_progress', 'finalizing', 'cancelling')`,
  ],
};
