import type { Migration } from '../migrate.ts';

/** Where a provider batch was made, as the config may name another place by the time that it is asked about. */
export const shardPlace: Migration = {
  name: '0022-shard-place',
  statements: ['alter table shards add column place text'],
};
