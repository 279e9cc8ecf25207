import { afterEach } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

/** The body of a call, or of a line, to the route `kept`. */
export const ask = (text: string, extra: object = {}) => ({
  model: 'kept',
  messages: [{ role: 'user' as const, content: text }],
  ...extra,
});

/** A server of a test, and its pool. */
export interface CacheServer {
  pools: Pools;
  weir: Weir;
  /** Starts both: a pool of the model `m`, and a route `kept` to it that keeps answers. */
  open: (latencyMs?: number, price?: object) => Promise<void>;
  /** How many requests the pool has received. */
  received: () => number;
  /** The entries of the ledger, the oldest first. */
  entries: () => Promise<LedgerEntryObject[]>;
}

/** One for each test of a file, stopped after it. */
export function cacheServer(): CacheServer {
  const cache = {
    received: () => cache.pools.servers[0]?.counters.received ?? 0,
    entries: async () =>
      (await cache.weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc')).data,
  } as CacheServer;
  cache.open = async (latencyMs = 0, price = { input: 1, output: 2 }) => {
    cache.pools = await startPools([{ models: ['m'], latency_ms: latencyMs }]);
    const provider = {
      kind: 'vllm',
      base_urls: [cache.pools.servers[0]?.baseUrl],
      models: ['m'],
      price,
      limits: { concurrency: 8 },
    };
    cache.weir = await startWeir({
      providers: { p: provider },
      routes: { kept: { provider: 'p', model: 'm', cache: { mode: 'simple', max_age: 3600 } } },
    });
  };
  afterEach(async () => {
    await cache.weir?.stop();
    await cache.pools?.stop();
  });
  return cache;
}
