import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { type DatabaseServer, hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from './weir.ts';

const CONCURRENCY = 12;
const LINES = 250;

it.runIf(hasDatabaseServer())(
  'engines in two threads on a database server: bounds and rates hold in sum, calls go first, one that dies is replaced',
  async () => {
    const threads: Worker[] = [];
    const watch = (worker: Worker): void => {
      if (worker.threadName?.startsWith('engine')) threads.push(worker);
    };
    process.on('worker', watch);
    const folder = await temporaryFolder();
    let database: DatabaseServer | undefined;
    let pools: Pools | undefined;
    let weir: Weir | undefined;
    try {
      database = await startDatabaseServer(join(folder, 'database'));
      pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 100 }]);
      const [server] = pools.servers as [Pools['servers'][number]];
      const limits = { concurrency: CONCURRENCY, adaptive: false, requests_per_minute: 4_200 };
      // What a dead thread held does not go on by the end of its lease.
      const settings = { engine_threads: 2, segment_lines: 10, part_lines: 10, part_delay_ms: 20, lease_seconds: 600 };
      const config = splitConfig([server.baseUrl], [1], { limits, settings });
      weir = await startWeir(config, { folder: join(folder, 'data'), env: { WEIR_DATABASE_URL: database.url } });
      await expect.poll(() => threads.length, { timeout: 20_000 }).toBe(2);
      const started = performance.now();
      const input = chatLines(LINES);
      const { id } = await submit(weir, input, { config: 'split' });
      const done = (least: number) => (batch: { request_counts?: { completed: number } | undefined }) =>
        (batch.request_counts?.completed ?? 0) >= least;
      await waitForBatch(weir, id, { seconds: 40, until: done(40) });
      await threads[0]?.terminate();
      const message = { model: 'split', messages: [{ role: 'user' as const, content: 'first' }] };
      const { completions } = weir.client.chat;
      const calls = await Promise.all([1, 2, 3].map(() => completions.create(message)));
      expect(calls.map(({ choices }) => choices.length)).toEqual([1, 1, 1]);
      expect((await weir.client.batches.retrieve(id)).status).toBe('in_progress');
      const ended = await waitForBatch(weir, id, { seconds: 60 });
      const seconds = (performance.now() - started) / 1000;
      expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
      expect(server.counters.max_running).toBeLessThanOrEqual(CONCURRENCY);
      // A second's worth may be saved up.
      expect(server.counters.received - 70).toBeLessThanOrEqual(70 * seconds);
      const { entries } = await assertInvariants(weir, id, input);
      expect(entries.length + 3).toBeGreaterThanOrEqual(server.counters.received);
      expect(server.counters.received).toBeLessThanOrEqual(LINES + 3 + CONCURRENCY + 2 * settings.part_lines);
      await expect.poll(() => threads.length, { timeout: 10_000 }).toBe(3);
    } finally {
      process.off('worker', watch);
      await weir?.stop();
      await Promise.all([pools?.stop(), database?.stop()]);
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
