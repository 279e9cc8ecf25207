/** Create calls that left nothing, as far as their provider knew when it was asked: rows that are done and never had a provider batch. */
import type { StoreShards } from '../ports/store-shards.ts';
import type { Database } from './client.ts';

const isLost = `state = 'done' and provider_batch_id is null`;

/** True of rows that stand for such a call alone: another row has its lines. */
export const IS_REMEMBERED = `${isLost} and token is not null and failure ->> 'code' = 'submit_unknown'`;

/** See StoreShards.knownTokens. */
export async function knownTokens(database: Database, tokens: readonly string[]): Promise<Set<string>> {
  const rows = await database.read({
    sql: `select token from shards where token in (select value from json_each(?)) and not (${isLost})`,
    args: [JSON.stringify(tokens)],
  });
  return new Set(rows.map((row) => String(row.token)));
}

/** See StoreShards.adopt. */
export async function adoptShard(
  database: Database,
  token: string,
  { id, refs, submittedAt, now }: Parameters<StoreShards['adopt']>[1],
): Promise<boolean> {
  const [adopted] = await database.write([
    {
      sql: `update shards set state = 'abandoned', provider_batch_id = ?, refs = ?, submitted_at = ?, progress_at = ?,
              cancel_asked_at = ?, next_at = ?, ended_at = null, ran_at = null, cleaned_at = null, failure = null
            where token = ? and ${isLost}`,
      args: [id, JSON.stringify(refs), submittedAt, now, now, now, token],
    },
  ]);
  return (adopted?.rowsAffected ?? 0) > 0;
}
