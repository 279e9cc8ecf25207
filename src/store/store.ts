import type { Store } from '../ports/store.ts';
import { LibsqlBatches } from './batches.ts';
import { bringForward } from './bring-forward.ts';
import { LibsqlBudgets } from './budgets.ts';
import { LibsqlCache } from './cache.ts';
import type { Database } from './client.ts';
import { LibsqlEvalWork } from './eval-work.ts';
import { LibsqlEvals } from './evals.ts';
import { LibsqlFiles } from './files.ts';
import { LibsqlIdempotency } from './idempotency.ts';
import { LibsqlInsight } from './insight.ts';
import { LibsqlKeys } from './keys.ts';
import { LibsqlLedger } from './ledger.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { LibsqlParkedCalls } from './parked-calls.ts';
import { LibsqlPrices } from './prices.ts';
import { LibsqlRoutes } from './routes.ts';
import { LibsqlSegments } from './segments.ts';
import { LibsqlServers } from './servers.ts';
import { LibsqlSessions } from './sessions.ts';
import { LibsqlShards } from './shards.ts';
import { LibsqlUploads } from './uploads.ts';
import { LibsqlWebhooks } from './webhooks.ts';

/** The store on an open database, migrated. Closes the database when it cannot be. */
export async function openStoreOn(database: Database): Promise<Store> {
  try {
    await migrate(database, MIGRATIONS);
  } catch (error) {
    await database.close();
    throw error;
  }
  return storeOn(database);
}

/** The store on an open database that was migrated before. */
export function storeOn(database: Database): Store {
  return {
    files: new LibsqlFiles(database),
    uploads: new LibsqlUploads(database),
    batches: new LibsqlBatches(database),
    segments: new LibsqlSegments(database),
    shards: new LibsqlShards(database),
    ledger: new LibsqlLedger(database),
    budgets: new LibsqlBudgets(database),
    keys: new LibsqlKeys(database),
    sessions: new LibsqlSessions(database),
    servers: new LibsqlServers(database),
    insight: new LibsqlInsight(database),
    routes: new LibsqlRoutes(database),
    prices: new LibsqlPrices(database),
    idempotency: new LibsqlIdempotency(database),
    cache: new LibsqlCache(database),
    parkedCalls: new LibsqlParkedCalls(database),
    webhooks: new LibsqlWebhooks(database),
    evals: new LibsqlEvals(database),
    evalWork: new LibsqlEvalWork(database),
    bringForward: (now, seconds) => bringForward(database, now, seconds),
    ping: async () => {
      await database.writeIf({ sql: '1', args: [] }, []);
    },
    now: async () => {
      const [row] = await database.read({ sql: `select cast(unixepoch('subsec') * 1000 as integer) as now`, args: [] });
      return Number(row?.now);
    },
    close: () => database.close(),
  };
}
