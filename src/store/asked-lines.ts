import { asc, eq } from '#drizzle';
import type { AskedLine, StoreShards } from '../ports/store-shards.ts';
import type { Database, Row, Statement } from './client.ts';
import { askedLines } from './schema/asked-lines.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

/**
 * Whether shard `o` is on its way to an answer. A pending one is while a step of it runs, whose lease is what it submits
 * under: one that waits, or that nobody works on any more, keeps no question from others.
 */
const IS_ASKING = `(o.state in ('submitting', 'running', 'collecting') or (o.state = 'pending' and o.lease_token is not null))`;

/** See StoreShards.ask. */
export async function askLines(
  database: Database,
  { id, leaseToken }: { id: string; leaseToken: string },
  lines: readonly AskedLine[],
  fresh: boolean,
): ReturnType<StoreShards['ask']> {
  const fence: Statement = {
    sql: 'exists (select 1 from shards where id = ? and lease_token = ?)',
    args: [id, leaseToken],
  };
  const rows = bulkRows(lines.map(({ question, line }) => [question, line]));
  const outcomes = await database.writeIf(fence, [
    ...(fresh ? [forgetAskedLines(id)] : []),
    {
      sql: `insert into asked_lines (question, shard_id, line)
            with ${BULK_ROWS} select v ->> 0, ?, v ->> 1 from r where true
            on conflict (question) do update set shard_id = excluded.shard_id, line = excluded.line
            where not exists (select 1 from shards o where o.id = asked_lines.shard_id and ${IS_ASKING})`,
      args: [rows, id],
    },
    {
      sql: `with ${BULK_ROWS}
            select a.question, o.id, o.batch_id from r cross join asked_lines a on a.question = v ->> 0
              join shards o on o.id = a.shard_id
            where a.shard_id <> ?`,
      args: [rows, id],
    },
  ]);
  const others = outcomes?.at(-1)?.rows;
  if (others === undefined) return null;
  const asker = (row: Row) => ({ shardId: String(row.id), batchId: String(row.batch_id) });
  return new Map(others.map((row) => [String(row.question), asker(row)]));
}

/** See StoreShards.areAsking. */
export async function areAsking(database: Database, ids: readonly string[]): Promise<boolean> {
  const [row] = await database.read({
    sql: `select count(*) as asking from shards o where o.id in (select value from json_each(?)) and ${IS_ASKING}`,
    args: [JSON.stringify(ids)],
  });
  return Number(row?.asking) === ids.length;
}

/** See StoreShards.askedLines. */
export function listAskedLines(database: Database, shardId: string): Promise<AskedLine[]> {
  return database.orm
    .select({ line: askedLines.line, question: askedLines.question })
    .from(askedLines)
    .where(eq(askedLines.shardId, shardId))
    .orderBy(asc(askedLines.line));
}

export function forgetAskedLines(shardId: string): Statement {
  return { sql: 'delete from asked_lines where shard_id = ?', args: [shardId] };
}
