import type { Migration } from '../migrate.ts';

const SUMS = 'entries, requests, input_tokens, cached_input_tokens, output_tokens, amount_nano, list_amount_nano';
const SUM_COLUMNS = `entries integer not null,
      requests integer not null,
      input_tokens integer not null,
      cached_input_tokens integer not null,
      output_tokens integer not null,
      amount_nano integer not null,
      list_amount_nano integer not null,
      unpriced_entries integer not null,
      savings_nano integer not null default 0,
      gpu_microseconds integer not null default 0`;

/** Sums by day, and by batch and tags, beside those by hour; the time on GPU pools in all of them. */
export const ledgerRollups: Migration = {
  name: '0004-ledger-rollups',
  statements: [
    'alter table ledger_hourly add column savings_nano integer not null default 0',
    'alter table ledger_hourly add column gpu_microseconds integer not null default 0',
    `update ledger_hourly set savings_nano = used.saved, gpu_microseconds = used.micros
      from (
        select tenant_id, created_at - created_at % 3600 as hour, coalesce(key_id, '') as key_id, provider, target, model,
          mode, status, coalesce(sum(list_amount_nano - amount_nano), 0) as saved,
          coalesce(sum(usage ->> 'gpu_microseconds'), 0) as micros
        from ledger_entries group by 1, 2, 3, 4, 5, 6, 7, 8
      ) used
      where ledger_hourly.tenant_id = used.tenant_id and ledger_hourly.hour = used.hour
        and ledger_hourly.key_id = used.key_id and ledger_hourly.provider = used.provider
        and ledger_hourly.target = used.target and ledger_hourly.model = used.model
        and ledger_hourly.mode = used.mode and ledger_hourly.status = used.status`,
    `create table ledger_daily (
      tenant_id text not null,
      day integer not null,
      key_id text not null,
      provider text not null,
      target text not null,
      model text not null,
      mode text not null,
      status text not null,
      ${SUM_COLUMNS},
      primary key (tenant_id, day, key_id, provider, target, model, mode, status)
    )`,
    `insert into ledger_daily (tenant_id, day, key_id, provider, target, model, mode, status, ${SUMS}, unpriced_entries, savings_nano, gpu_microseconds)
      select tenant_id, hour - hour % 86400, key_id, provider, target, model, mode, status,
        ${SUMS.split(', ')
          .map((name) => `sum(${name})`)
          .join(', ')}, sum(unpriced_entries), sum(savings_nano), sum(gpu_microseconds)
      from ledger_hourly group by 1, 2, 3, 4, 5, 6, 7, 8`,
    `create table ledger_batches (
      batch_id text not null,
      tenant_id text not null,
      tags_id text not null,
      hour integer not null,
      key_id text not null,
      provider text not null,
      target text not null,
      model text not null,
      mode text not null,
      status text not null,
      ${SUM_COLUMNS},
      primary key (batch_id, tenant_id, tags_id, hour, key_id, provider, target, model, mode, status)
    )`,
    'create index tag_sets_tenant on tag_sets (tenant_id)',
    'create index ledger_batches_hour on ledger_batches (tenant_id, hour)',
    `insert into ledger_batches (batch_id, tenant_id, tags_id, hour, key_id, provider, target, model, mode, status, ${SUMS}, unpriced_entries, savings_nano, gpu_microseconds)
      select coalesce(batch_id, ''), tenant_id, coalesce(tags_id, ''), created_at - created_at % 3600, coalesce(key_id, ''),
        provider, target, model, mode, status, count(*), sum(final), sum(input_tokens), sum(cached_input_tokens),
        sum(output_tokens), coalesce(sum(amount_nano), 0), coalesce(sum(list_amount_nano), 0),
        count(*) - count(amount_nano), coalesce(sum(list_amount_nano - amount_nano), 0),
        coalesce(sum(usage ->> 'gpu_microseconds'), 0)
      from ledger_entries group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`,
  ],
};
