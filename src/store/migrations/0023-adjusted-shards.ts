import type { Migration } from '../migrate.ts';

/** The entry that an adjustment is about in the end: the one that was made first. */
const ORIGIN = `
  with recursive chain(seq, earlier, shard_id) as (
    select e.seq, coalesce(e.reverses, e.corrects), e.shard_id from ledger_entries e where e.seq = ledger_entries.seq
    union all
    select e.seq, coalesce(e.reverses, e.corrects), e.shard_id from chain join ledger_entries e on e.seq = chain.earlier)
  select shard_id from chain where earlier is null`;

/** Of which shard's provider batch an adjustment is: what that cost is then the sum of both. Those there are get it, too. */
export const adjustedShards: Migration = {
  name: '0023-adjusted-shards',
  statements: [
    'alter table ledger_entries add column adjusts_shard text',
    'create index ledger_entries_adjusts_shard on ledger_entries (adjusts_shard) where adjusts_shard is not null',
    // Without a reversal there is no correction either, and nothing to look for.
    `update ledger_entries set adjusts_shard = (${ORIGIN})
     where coalesce(reverses, corrects) is not null and exists (select 1 from ledger_entries where reverses is not null)`,
  ],
};
