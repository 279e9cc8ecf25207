import type { Migration } from '../migrate.ts';

/** The servers that work on this database; whether a shard kept to the hours of its target. */
export const servers: Migration = {
  name: '0019-servers',
  statements: [
    'create table servers (id text primary key not null, seen_at integer not null)',
    'alter table shards add column hours text',
  ],
};
