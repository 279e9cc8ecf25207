import type { Migration } from '../migrate.ts';

/** How many lines were in flight, beside the results of the same time. */
export const partBusyTime: Migration = {
  name: '0018-part-busy-time',
  statements: [
    'alter table parts add column busy_ms integer',
    'alter table parts add column busy_from integer',
    'alter table parts add column busy_until integer',
  ],
};
