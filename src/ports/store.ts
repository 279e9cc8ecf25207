/**
 * Everything Weir remembers, by aggregate. One method is one atomic write. test/contract/store.ts says what an
 * implementation promises; nothing above this port may know which database is underneath.
 */
import type { StoreBatches } from './store-batches.ts';
import type { StoreBudgets } from './store-budgets.ts';
import type { StoreCache } from './store-cache.ts';
import type { StoreEvals, StoreEvalWork } from './store-evals.ts';
import type { StoreFiles } from './store-files.ts';
import type { StoreIdempotency } from './store-idempotency.ts';
import type { StoreInsight } from './store-insight.ts';
import type { StoreKeys } from './store-keys.ts';
import type { StoreLedger } from './store-ledger.ts';
import type { StoreParkedCalls } from './store-parked-calls.ts';
import type { StorePrices } from './store-prices.ts';
import type { StoreRoutes } from './store-routes.ts';
import type { StoreSegments } from './store-segments.ts';
import type { StoreServers } from './store-servers.ts';
import type { StoreSessions } from './store-sessions.ts';
import type { StoreShards } from './store-shards.ts';
import type { StoreUploads } from './store-uploads.ts';
import type { StoreWebhooks } from './store-webhooks.ts';

export interface Store {
  files: StoreFiles;
  uploads: StoreUploads;
  batches: StoreBatches;
  segments: StoreSegments;
  shards: StoreShards;
  ledger: StoreLedger;
  budgets: StoreBudgets;
  keys: StoreKeys;
  sessions: StoreSessions;
  servers: StoreServers;
  insight: StoreInsight;
  routes: StoreRoutes;
  prices: StorePrices;
  idempotency: StoreIdempotency;
  parkedCalls: StoreParkedCalls;
  evals: StoreEvals;
  evalWork: StoreEvalWork;
  cache: StoreCache;
  webhooks: StoreWebhooks;
  /** Unix milliseconds by the database's own clock. */
  now(): Promise<number>;
  /** After the clock was put back by `seconds`: what is due later than `now` is due so much earlier, but not before `now`. */
  bringForward(now: number, seconds: number): Promise<void>;
  /** Rejects when the database cannot be written. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
