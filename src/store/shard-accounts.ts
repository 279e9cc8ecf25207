import { and, asc, gte, isNotNull, lt, sql } from '#drizzle';
import type { StoreShards, SubmittedShard } from '../ports/store-shards.ts';
import type { Database } from './client.ts';
import { shards } from './schema/shards.ts';
import { shardColumns } from './shard-work.ts';

/** Entries that say what became of a shard's lines whose own entry (`doubt`) could not tell, as `told`. */
export const TOLD_LATER = `ledger_entries doubt join ledger_entries told on doubt.status = 'unknown'
  and told.batch_id = doubt.batch_id and told.line = doubt.line and told.attempt < 0 and told.corrects = doubt.seq`;

/** See StoreShards.submitted. */
export async function listSubmitted(
  database: Database,
  { from, to, after, limit }: Parameters<StoreShards['submitted']>[0],
): Promise<SubmittedShard[]> {
  const beyond =
    after === null
      ? undefined
      : sql`(${shards.submittedAt}, ${shards.id}) > (select submitted_at, id from shards where id = ${after})`;
  const rows = await database.orm
    .select(shardColumns)
    .from(shards)
    .where(and(isNotNull(shards.providerBatchId), gte(shards.submittedAt, from), lt(shards.submittedAt, to), beyond))
    .orderBy(asc(shards.submittedAt), asc(shards.id))
    .limit(limit);
  const sums = await database.read({
    // Money comes as text, as the client refuses integers beyond 2^53.
    sql: `with ids as (select value as id from json_each(?)),
            own as (
              select shard_id, 1 as entry, input_tokens, output_tokens, amount_nano from ledger_entries
              where shard_id in (select id from ids)
              union all
              select doubt.shard_id, 0, told.input_tokens, told.output_tokens, told.amount_nano from ${TOLD_LATER}
              where doubt.shard_id in (select id from ids))
          select shard_id, sum(entry) as entries, sum(input_tokens) as input, sum(output_tokens) as output,
            cast(coalesce(sum(amount_nano), 0) as text) as amount
          from own group by shard_id`,
    args: [JSON.stringify(rows.map(({ id }) => id))],
  });
  const byShard = new Map(sums.map((row) => [String(row.shard_id), row]));
  return rows.map((row) => {
    const own = byShard.get(row.id);
    const ledger = {
      entries: Number(own?.entries ?? 0),
      inputTokens: Number(own?.input ?? 0),
      outputTokens: Number(own?.output ?? 0),
      amountNano: BigInt(String(own?.amount ?? 0)),
    };
    return { ...row, ledger };
  });
}
