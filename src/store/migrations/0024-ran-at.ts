import type { Migration } from '../migrate.ts';

/** When what an adjustment is about in the end was entered. */
const ORIGIN = `
  with recursive chain(earlier, created_at) as (
    select coalesce(e.reverses, e.corrects), e.created_at from ledger_entries e where e.seq = ledger_entries.seq
    union all
    select coalesce(e.reverses, e.corrects), e.created_at from chain join ledger_entries e on e.seq = chain.earlier)
  select created_at from chain where earlier is null`;

/** When a provider ran what is entered later, and adjusted later still: that is the time whose prices it has. */
export const ranAt: Migration = {
  name: '0024-ran-at',
  statements: [
    'alter table shards add column ran_at integer',
    'alter table ledger_entries add column ran_at integer',
    // Without a reversal there is no correction either, and nothing to look for.
    `update ledger_entries set ran_at = (${ORIGIN})
     where coalesce(reverses, corrects) is not null and exists (select 1 from ledger_entries where reverses is not null)`,
  ],
};
