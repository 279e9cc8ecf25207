import type { Migration } from '../migrate.ts';

/** What a client asks of provider batches. */
export const batchOptions: Migration = {
  name: '0003-batch-options',
  statements: ['alter table batches add column options text'],
};
