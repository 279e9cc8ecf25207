import type { Migration } from '../migrate.ts';

/** How far the journals of single calls were taken over into the ledger. */
export const journals: Migration = {
  name: '0008-journals',
  statements: ['create table journals (id text primary key not null, position integer not null)'],
};
