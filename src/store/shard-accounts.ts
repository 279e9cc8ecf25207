import { and, asc, gte, isNotNull, lt, sql } from '#drizzle';
import type { StoreShards, SubmittedShard } from '../ports/store-shards.ts';
import type { Database } from './client.ts';
import { SIGN } from './ledger-source.ts';
import { shards } from './schema/shards.ts';
import { shardColumns } from './shard-work.ts';

/** The entries of a shard, and what adjusts them: an adjusted entry, its reversal and what stands in its place add up. */
export function accountsOf(shardIds: string): string {
  const figures = 'input_tokens, output_tokens, amount_nano';
  return `
    select shard_id, 1 as entry, 1 as sign, ${figures} from ledger_entries where shard_id in (${shardIds})
    union all
    select adjusts_shard, 0, ${SIGN}, ${figures} from ledger_entries where adjusts_shard in (${shardIds})`;
}

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
            own as (${accountsOf('select id from ids')})
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
