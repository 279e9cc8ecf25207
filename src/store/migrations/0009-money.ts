import type { Migration } from '../migrate.ts';

/** Prices that the operator states, entries that correct others, and what a batch was estimated to cost. */
export const money: Migration = {
  name: '0009-money',
  statements: [
    `create table prices (
      seq integer primary key autoincrement,
      id text not null,
      provider text not null,
      model text not null,
      slot text not null,
      from_day text not null,
      price text not null,
      source text not null,
      key_id text,
      created_at integer not null
    )`,
    'create unique index prices_id on prices (id)',
    'create unique index prices_slot on prices (provider, model, slot, from_day)',
    'alter table ledger_entries add column reverses integer',
    'alter table ledger_entries add column corrects integer',
    'alter table ledger_entries add column note text',
    'create unique index ledger_entries_reverses on ledger_entries (reverses) where reverses is not null',
    'create index ledger_entries_unpriced on ledger_entries (tenant_id, seq) where amount_nano is null',
    'alter table batches add column estimate text',
  ],
};
