import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const MODEL = 'gpt-4o-mini';
const CONCURRENCY = 12;
const SETTINGS = { engine_threads: 2, segment_lines: 25, part_lines: 40, part_delay_ms: 20, lease_seconds: 5 };

describe('engines in two threads', () => {
  let pools: Pools;
  let running: (Weir | WeirProcess)[] = [];
  let folder: string | undefined;

  afterEach(async () => {
    await Promise.all(running.map((weir) => ('stop' in weir ? weir.stop() : weir.kill())));
    running = [];
    await pools.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    folder = undefined;
  });

  async function start(config: object): Promise<Weir> {
    folder ??= await temporaryFolder();
    const weir = await startWeir(config, { folder: join(folder, 'data') });
    running.push(weir);
    return weir;
  }

  /** How many engines wrote results of a batch: each names its parts after itself. */
  async function engines(batchId: string): Promise<number> {
    const names = await readdir(join(folder ?? '', 'data/files'), { recursive: true });
    const parts = names.filter((name) => name.includes(batchId)).map((name) => basename(name));
    return new Set(parts.flatMap((name) => /^(.+)-\d{8}/.exec(name)?.[1] ?? [])).size;
  }

  async function spawn(config: object): Promise<WeirProcess> {
    folder ??= await temporaryFolder();
    await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
    const weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    running = [weir];
    return weir;
  }

  it('run one batch over two providers together, and keep in sum to the concurrency of each', async () => {
    pools = await startPools([
      { models: [MODEL], latency_ms: 10, rate_429: 0.03 },
      { models: [MODEL], latency_ms: 20, rate_500: 0.03, seed: 2 },
    ]);
    const urls = pools.servers.map(({ baseUrl }) => baseUrl);
    const limits = { concurrency: CONCURRENCY, adaptive: false };
    const weir = await start(splitConfig(urls, [60, 40], { limits, settings: SETTINGS }));
    const input = chatLines(1_200);
    const { id } = await submit(weir, input, { config: 'split' });
    const ended = await waitForBatch(weir, id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 1_200, completed: 1_200, failed: 0 });
    await assertInvariants(weir, id, input);
    for (const { counters } of pools.servers) expect(counters.max_running).toBe(CONCURRENCY);
    expect(await engines(id)).toBe(2);
    const { data } = await weir.call<{ data: { name: string; in_flight: number; members: { answered: number }[] }[] }>(
      '/v1/providers',
    );
    // What the engines told last may be a moment old.
    const answered = async () => {
      const { data: providers } = await weir.call<{ data: { members: { answered: number }[] }[] }>('/v1/providers');
      return providers.flatMap(({ members }) => members).reduce((sum, member) => sum + member.answered, 0);
    };
    await expect.poll(answered, { timeout: 10_000 }).toBe(1_200);
    expect(data.map(({ in_flight: inFlight }) => inFlight)).toEqual([0, 0]);
  }, 90_000);

  it('share the time of a pool that is paid by the hour, and keep in sum to its rate', async () => {
    pools = await startPools([{ models: [MODEL], latency_ms: { min: 20, max: 40 } }]);
    const limits = { concurrency: CONCURRENCY, adaptive: false, requests_per_minute: 6_000 };
    const price = { gpu_hour: 3_600, gpus: 1 };
    const settings = { ...SETTINGS, segment_lines: 10 };
    const weir = await start(splitConfig([pools.servers[0]?.baseUrl ?? ''], [1], { limits, price, settings }));
    const input = chatLines(250);
    const started = performance.now();
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, { seconds: 60, everyMs: 10 });
    const seconds = (performance.now() - started) / 1000;
    const { batch } = await assertInvariants(weir, id, input);
    // A second's worth may be saved up; the others come a hundred a second.
    expect(seconds).toBeGreaterThan((250 - 100) / 100);
    // A dollar a second, whoever has something in flight: counted by each engine for itself it would be up to twice that.
    expect(batch.cost.amount_nano_usd).toBeGreaterThan(0);
    expect(batch.cost.amount_nano_usd).toBeLessThanOrEqual(seconds * 1e9);
    expect(await engines(id)).toBe(2);
  }, 90_000);

  it('stop at the limit of a budget and a line of each, and when a batch is cancelled, and let calls go first', async () => {
    pools = await startPools([{ models: [MODEL], latency_ms: { min: 5, max: 25 }, rate_429: 0.05 }]);
    const [server] = pools.servers as [(typeof pools.servers)[number]];
    const limits = { concurrency: 8 };
    const price = { input: 100, output: 400 };
    const settings = { ...SETTINGS, segment_lines: 10, drain_seconds: 1 };
    const weir = await start(splitConfig([server.baseUrl], [1], { limits, price, settings }));
    const budget = await weir.call<{ id: string }>('/v1/budgets', {
      method: 'POST',
      body: JSON.stringify({ limit_usd: '1', period: 'month', on_insufficient: 'stop' }),
    });
    const input = chatLines(300);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, { seconds: 60 });
    const { batch, entries } = await assertInvariants(weir, id, input);
    expect([batch.status, batch.errors?.data[0]?.code]).toEqual(['cancelled', 'budget_exceeded']);
    // The last line of each may be beyond it.
    const dearest = Math.max(...entries.map((entry) => entry.amount_nano_usd ?? 0));
    expect(batch.cost.amount_nano_usd).toBeGreaterThanOrEqual(1e9);
    expect(batch.cost.amount_nano_usd).toBeLessThanOrEqual(1e9 + 2 * dearest);
    await weir.call(`/v1/budgets/${budget.id}`, { method: 'POST', body: JSON.stringify({ limit_usd: '1000' }) });

    server.configure({ latency_ms: 400 });
    const other = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, other.id, {
      seconds: 30,
      until: ({ request_counts: counts }) => (counts?.completed ?? 0) > 8,
    });
    // Calls have the next slots that become free.
    const answers = await Promise.all(
      Array.from({ length: 3 }, (_, index) =>
        weir.client.chat.completions.create({ model: 'split', messages: [{ role: 'user', content: `call ${index}` }] }),
      ),
    );
    expect(answers.map(({ choices }) => choices.length)).toEqual([1, 1, 1]);
    await weir.client.batches.cancel(other.id);
    const ended = await waitForBatch(weir, other.id, { seconds: 30 });
    expect(ended.status).toBe('cancelled');
    await assertInvariants(weir, other.id, input);
    expect(server.counters.max_running).toBeLessThanOrEqual(8);
  }, 120_000);

  it('send lines that are alike once, where their route keeps answers, whichever engine has them', async () => {
    pools = await startPools([{ models: [MODEL], latency_ms: 100 }]);
    const [server] = pools.servers as [(typeof pools.servers)[number]];
    const config = splitConfig([server.baseUrl], [1], { settings: { ...SETTINGS, segment_lines: 5 } });
    const routes = { kept: { provider: 'pool-a', model: MODEL, cache: { mode: 'simple', max_age: 3_600 } } };
    const weir = await start({ ...config, routes });
    // Both are at work, however slow the machine is, before the lines come that one of them could have done alone.
    const together = async (): Promise<number> => {
      const { id } = await submit(weir, chatLines(100), { config: { provider: 'pool-a' } });
      await waitForBatch(weir, id, { seconds: 60 });
      return engines(id);
    };
    await expect.poll(together, { timeout: 60_000 }).toBe(2);
    server.configure({ latency_ms: 1_000 });
    const before = server.counters.received;
    const input = chatLines(200, (index) => ({ messages: [{ role: 'user', content: `Question ${index % 7}` }] }));
    const [{ id }] = await Promise.all([
      submit(weir, input, { config: 'kept' }),
      weir.client.chat.completions.create({
        model: 'kept',
        messages: [{ role: 'user', content: 'Question 3' }],
        max_tokens: 64,
      }),
    ]);
    await waitForBatch(weir, id, { seconds: 60 });
    await assertInvariants(weir, id, input);
    expect(server.counters.received - before).toBe(7);
    expect(await engines(id)).toBe(2);
  }, 150_000);

  it('lose nothing by kill -9, and send again at most what was in flight or not committed', async () => {
    const settings = { ...SETTINGS, part_lines: 20 };
    pools = await startPools([{ models: [MODEL], latency_ms: { min: 20, max: 60 }, rate_429: 0.03 }]);
    const limits = { concurrency: CONCURRENCY };
    const config = splitConfig([pools.servers[0]?.baseUrl ?? ''], [1], { limits, settings });
    const input = chatLines(600);
    let weir = await spawn(config);
    const { id } = await submit(weir, input, { config: 'split' });
    const done = (least: number) => (batch: { request_counts?: { completed: number } | undefined }) =>
      (batch.request_counts?.completed ?? 0) >= least;
    const kills = [100, 300];
    for (const least of kills) {
      await waitForBatch(weir, id, { seconds: 40, until: done(least) });
      await weir.kill();
      weir = await spawn(config);
    }
    const ended = await waitForBatch(weir, id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 600, completed: 600, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    const { counters } = pools.servers[0] as (typeof pools.servers)[number];
    const again = (counters.by_status.get(200) ?? 0) + counters.client_aborts - 600;
    expect(again).toBeLessThanOrEqual(kills.length * (CONCURRENCY + 2 * settings.part_lines));
    expect(entries.length).toBeGreaterThanOrEqual(counters.received);
    expect(counters.max_running).toBeLessThanOrEqual(CONCURRENCY);
    expect(await engines(id)).toBeGreaterThan(2);
  }, 180_000);

  it('go on without one that dies: its lines run elsewhere at once, and another takes its place', async () => {
    const threads: Worker[] = [];
    const watch = (worker: Worker) => worker.threadName?.startsWith('engine') && threads.push(worker);
    process.on('worker', watch);
    pools = await startPools([{ models: [MODEL], latency_ms: 300 }]);
    const [server] = pools.servers as [(typeof pools.servers)[number]];
    const limits = { concurrency: CONCURRENCY, adaptive: false };
    const settings = { ...SETTINGS, lease_seconds: 600, part_lines: 10 };
    const weir = await start(splitConfig([server.baseUrl], [1], { limits, settings }));
    const input = chatLines(300);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, {
      seconds: 60,
      until: ({ request_counts: counts }) => (counts?.completed ?? 0) > 60,
    });
    const [first] = threads;
    await first?.terminate();
    server.configure({ latency_ms: 20 });
    const ended = await waitForBatch(weir, id, { seconds: 60 });
    process.off('worker', watch);
    expect(ended.request_counts).toEqual({ total: 300, completed: 300, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    const again = (server.counters.by_status.get(200) ?? 0) + server.counters.client_aborts - 300;
    expect(again).toBeLessThanOrEqual(CONCURRENCY + 2 * settings.part_lines);
    expect(entries.length).toBeGreaterThanOrEqual(server.counters.received);
    await expect.poll(() => threads.length, { timeout: 10_000 }).toBe(3);
    const { data } = await weir.call<{ data: { in_flight: number }[] }>('/v1/providers');
    expect(data.map(({ in_flight: inFlight }) => inFlight)).toEqual([0]);
  }, 120_000);
});
