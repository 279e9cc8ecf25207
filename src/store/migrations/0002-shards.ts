import type { Migration } from '../migrate.ts';

/** Provider batches: what they are, which entries they brought, and the word that marks them as this installation's. */
export const shards: Migration = {
  name: '0002-shards',
  statements: [
    `create table installation (
      id integer primary key,
      word text not null
    )`,
    'insert into installation (id, word) values (1, lower(hex(randomblob(4))))',
    `create table shards (
      id text primary key not null,
      batch_id text not null,
      tenant_id text not null,
      lane integer not null,
      candidate integer not null,
      provider text not null,
      model text not null,
      endpoint text not null,
      first_line integer not null,
      last_line integer not null,
      lines integer not null,
      bytes integer not null,
      tokens integer not null,
      state text not null,
      tries integer not null,
      token text,
      provider_batch_id text,
      refs text not null,
      raw text,
      counts text,
      failure text,
      created_at integer not null,
      submitted_at integer,
      progress_at integer,
      cancel_asked_at integer,
      ended_at integer,
      cleaned_at integer,
      next_at integer not null,
      lease_token text,
      lease_until integer
    )`,
    'create index shards_batch on shards (batch_id, state)',
    'create index shards_provider on shards (provider, state)',
    `create index shards_due on shards (next_at) where state <> 'done' or cleaned_at is null`,
    'create index shards_token on shards (token) where token is not null',
    'create index shards_leased on shards (lease_token) where lease_token is not null',
    'alter table ledger_entries add column shard_id text',
    'create unique index ledger_entries_shard on ledger_entries (shard_id, line) where shard_id is not null',
    'alter table segments add column candidate integer not null default 0',
  ],
};
