import type { Migration } from '../migrate.ts';

/** Synchronous calls that wait for an answer from a batch. */
export const parkedCalls: Migration = {
  name: '0006-parked-calls',
  statements: [
    `create table parked_calls (
      seq integer primary key autoincrement,
      id text not null,
      tenant_id text not null,
      key_id text,
      dedupe text not null,
      named integer not null,
      fingerprint text not null,
      group_key text not null,
      endpoint text not null,
      config text,
      window text not null,
      metadata text,
      body text not null,
      created_at integer not null,
      group_id text,
      batch_id text,
      status integer,
      answer text,
      delivered_at integer
    )`,
    'create unique index parked_calls_id on parked_calls (id)',
    'create index parked_calls_dedupe on parked_calls (tenant_id, dedupe)',
    'create unique index parked_calls_named on parked_calls (tenant_id, dedupe) where named = 1',
    'create index parked_calls_waiting on parked_calls (group_key, created_at) where group_id is null',
    'create index parked_calls_open on parked_calls (group_id) where status is null and group_id is not null',
    'create index parked_calls_group on parked_calls (group_id, seq)',
    'create index parked_calls_created on parked_calls (created_at)',
  ],
};
