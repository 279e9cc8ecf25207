import type { Database } from './client.ts';

/** Everything that has a moment at which it is due. */
const TABLES = ['batches', 'shards', 'eval_runs', 'webhook_deliveries'] as const;

/** See Store.bringForward. */
export async function bringForward(database: Database, now: number, seconds: number): Promise<void> {
  await database.write(
    TABLES.map((table) => ({
      sql: `update ${table} set next_at = max(?1, next_at - ?2) where next_at > ?1`,
      args: [now, seconds],
    })),
  );
}
