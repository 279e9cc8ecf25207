import type { Migration } from '../migrate.ts';

/** What may be spent, what is spent and held of it, and which thresholds were told; the route of a ledger entry. */
export const budgets: Migration = {
  name: '0014-budgets',
  statements: [
    `create table budgets (
      seq integer primary key autoincrement,
      id text not null,
      name text not null,
      owner_tenant_id text not null,
      tenant_id text not null,
      key_id text not null,
      tag_key text,
      tag_value text,
      route text,
      limit_nano integer not null,
      period text not null,
      time_zone text not null,
      since integer not null,
      on_insufficient text not null,
      unpriced text not null,
      thresholds text not null,
      created_at integer not null,
      updated_at integer not null
    )`,
    'create unique index budgets_id on budgets (id)',
    'create index budgets_scope on budgets (key_id, tenant_id)',
    `create table budget_periods (
      budget_id text not null,
      starts_at integer not null,
      ends_at integer not null,
      spent_nano integer not null,
      primary key (budget_id, starts_at)
    )`,
    `create table budget_holds (
      holder text not null,
      budget_id text not null,
      kind text not null,
      amount_nano integer not null,
      used_nano integer not null,
      created_at integer not null,
      expires_at integer,
      primary key (holder, budget_id)
    )`,
    'create index budget_holds_budget on budget_holds (budget_id)',
    `create table budget_shards (
      shard_id text primary key not null,
      batch_id text not null,
      bound_nano integer not null
    )`,
    'create index budget_shards_batch on budget_shards (batch_id)',
    `create table budget_alerts (
      budget_id text not null,
      starts_at integer not null,
      threshold integer not null,
      id text not null,
      spent_nano integer not null,
      limit_nano integer not null,
      created_at integer not null,
      told_at integer,
      primary key (budget_id, starts_at, threshold)
    )`,
    'create index budget_alerts_untold on budget_alerts (created_at) where told_at is null',
    'alter table ledger_entries add column route text',
  ],
};
