import type { Migration } from '../migrate.ts';

/** Endpoints that are told of events, and what is on its way to them. */
export const webhooks: Migration = {
  name: '0012-webhooks',
  statements: [
    `create table webhooks (
      seq integer primary key autoincrement,
      id text not null,
      tenant_id text not null,
      key_id text,
      name text not null,
      url text not null,
      event_types text not null,
      secret text not null,
      previous_secret text,
      previous_until integer,
      disabled_at integer,
      disabled_reason text,
      created_at integer not null,
      updated_at integer not null
    )`,
    'create unique index webhooks_id on webhooks (id)',
    'create index webhooks_tenant on webhooks (tenant_id)',
    `create table webhook_deliveries (
      seq integer primary key autoincrement,
      webhook_id text not null,
      event_id text not null,
      tenant_id text not null,
      type text not null,
      data text not null,
      event_at integer not null,
      state text not null,
      attempts integer not null,
      first_at integer not null,
      next_at integer not null,
      lease_token text,
      lease_until integer,
      status_code integer,
      error text,
      created_at integer not null,
      attempted_at integer,
      ended_at integer
    )`,
    'create unique index webhook_deliveries_event on webhook_deliveries (webhook_id, event_id)',
    'create index webhook_deliveries_list on webhook_deliveries (webhook_id, seq)',
    "create index webhook_deliveries_due on webhook_deliveries (next_at) where state = 'pending'",
    "create index webhook_deliveries_ended on webhook_deliveries (ended_at) where state <> 'pending'",
  ],
};
