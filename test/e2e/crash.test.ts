import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  realInput,
  spawnWeir,
  splitConfig,
  startPools,
  submit,
  temporaryFolder,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const KILLS = 10;
const CONCURRENCY = 16;
/** Results wait this long, or for this many, to become durable. */
const PART_LINES = 50;

describe('kill -9', () => {
  let pools: Pools;
  let weir: WeirProcess | undefined;
  let folder: string;

  afterEach(async () => {
    await weir?.kill();
    await pools.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('at ten random moments: the batch completes by itself and only what was in flight is sent again', async () => {
    folder = await temporaryFolder();
    const sim = { models: ['gpt-4o-mini'], latency_ms: { min: 40, max: 120 }, rate_429: 0.05, rate_500: 0.02 };
    pools = await startPools([
      { ...sim, count_by: { path: 'messages.1.content' } },
      { ...sim, seed: 2, count_by: { path: 'messages.1.content' } },
      { ...sim, seed: 3, count_by: { path: 'messages.1.content' } },
    ]);
    const urls = pools.servers.map((server) => server.baseUrl);
    const config = splitConfig(urls, [40, 30, 30], {
      limits: { concurrency: CONCURRENCY },
      settings: { part_lines: PART_LINES, part_delay_ms: 50, lease_seconds: 5 },
    });
    const configPath = join(folder, 'weir.json');
    await writeFile(configPath, JSON.stringify(config));
    const input = await realInput();
    const total = input.trimEnd().split('\n').length;

    weir = await spawnWeir(configPath, join(folder, 'data'));
    const { id } = await submit(weir, input, { config: 'split' });
    // On a busy machine all of the moments may be before the first request.
    const isUnderWay = () => pools.servers.some(({ counters }) => counters.running > 0);
    await expect.poll(isUnderWay, { timeout: 20_000, interval: 5 }).toBe(true);
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((wake) => setTimeout(wake, 60 + Math.random() * 350));
      await weir.kill();
      weir = await spawnWeir(configPath, join(folder, 'data'));
    }
    const ended = await waitForBatch(weir, id, { seconds: 90 });
    expect(ended.request_counts).toEqual({ total, completed: total, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);

    const answered = pools.servers.reduce((sum, server) => sum + (server.counters.by_status.get(200) ?? 0), 0);
    const cut = pools.servers.reduce((sum, server) => sum + server.counters.client_aborts, 0);
    // A good answer that was not committed, or a request cut off: bought again. Never more than was under way.
    const underWay = 3 * CONCURRENCY + PART_LINES;
    const again = answered + cut - total;
    expect(again).toBeLessThanOrEqual(KILLS * underWay);

    // Every call stands in the ledger: those that nobody can account for any more as `unknown`, never as nothing.
    const received = pools.servers.reduce((sum, server) => sum + server.counters.received, 0);
    const unknown = entries.filter((entry) => entry.status === 'unknown');
    expect(entries.length).toBeGreaterThanOrEqual(received);
    expect(entries.length - unknown.length).toBeLessThanOrEqual(received);
    expect(unknown.length).toBeLessThanOrEqual(KILLS * 2 * underWay);
    expect(unknown.length).toBeGreaterThan(0);
    expect(unknown.every((entry) => entry.amount_nano_usd === null && entry.unpriced_reason !== null)).toBe(true);
  }, 240_000);

  it('of a server beside which another cannot start, as it would send its lines too: then that one takes over', async () => {
    // One that says it has room is sent twice as many each second, without an answer.
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 60_000, metrics: 'none' }]);
    const server = pools.servers[0];
    folder = await temporaryFolder();
    const config = splitConfig([server?.baseUrl ?? ''], [1], {
      limits: { concurrency: 256 },
      settings: { segment_lines: 50 },
    });
    await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
    const start = () => spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    weir = await start();
    const input = chatLines(300);
    const { id } = await submit(weir, input, { config: 'split' });
    await expect.poll(() => server?.counters.received, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);
    await expect(start()).rejects.toThrow('WEIR_DATA_DIR: another process works with');
    await weir.kill();
    const left = () => (server?.counters.received ?? 0) - (server?.counters.client_aborts ?? 0);
    await expect.poll(left, { timeout: 20_000 }).toBe(0);
    const sent = server?.counters.received ?? 0;
    expect(sent).toBeLessThan(100);
    server?.configure({ latency_ms: 0 });
    weir = await start();
    await waitForBatch(weir, id, { seconds: 30 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(server?.counters.received).toBe(300 + sent);
    // Lines of segments that waited their turn, or beyond what its servers took, were surely not sent.
    const unknown = entries.filter(({ status }) => status === 'unknown').length;
    expect(unknown).toBeGreaterThanOrEqual(sent);
    expect(unknown).toBeLessThanOrEqual(2 * sent);
  }, 60_000);

  it('before the lines in doubt were sent again: those calls are not forgotten', async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 60_000 }]);
    const [server] = pools.servers;
    folder = await temporaryFolder();
    const config = join(folder, 'weir.json');
    const slots = 8;
    const split = splitConfig([server?.baseUrl ?? ''], [1], {
      limits: { concurrency: slots },
      settings: { part_delay_ms: 20, lease_seconds: 5 },
    });
    await writeFile(config, JSON.stringify(split));
    const input = chatLines(100);
    weir = await spawnWeir(config, join(folder, 'data'));
    const { id } = await submit(weir, input, { config: 'split' });
    // More calls than one lease lets out at once, so that no single one can stand for them all.
    const kills = 6;
    for (let kill = 1; kill <= kills; kill++) {
      await expect.poll(() => server?.counters.received, { timeout: 20_000 }).toBe(kill * slots);
      await weir.kill();
      if (kill === kills) server?.configure({ latency_ms: 0 });
      weir = await spawnWeir(config, join(folder, 'data'));
    }
    await waitForBatch(weir, id, { seconds: 30 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(server?.counters.received).toBe(100 + kills * slots);
    expect(entries.filter((entry) => entry.status === 'succeeded')).toHaveLength(100);
    expect(entries.length).toBeGreaterThanOrEqual(100 + kills * slots);
  }, 90_000);

  it('during a second try: the first is in the ledger already', async () => {
    pools = await startPools([
      { models: ['gpt-4o-mini'], rate_500: 1 },
      { models: ['gpt-4o-mini'], latency_ms: 60_000 },
    ]);
    const [failing, slow] = pools.servers;
    folder = await temporaryFolder();
    const split = splitConfig([failing?.baseUrl ?? '', slow?.baseUrl ?? ''], [1, 1], {
      retry: { attempts: 0 },
      // Nothing but the rule itself makes an entry durable before its line goes on.
      settings: { part_delay_ms: 1_500, lease_seconds: 5 },
    });
    const fallback = JSON.stringify(split).replace('"mode":"loadbalance"', '"mode":"fallback"');
    await writeFile(join(folder, 'weir.json'), fallback);
    const input = chatLines(8);
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    const { id } = await submit(weir, input, { config: 'split' });
    await expect.poll(() => slow?.counters.received, { timeout: 20_000 }).toBe(8);
    await weir.kill();
    const received = (failing?.counters.received ?? 0) + 8;
    slow?.configure({ latency_ms: 0 });
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    await waitForBatch(weir, id, { seconds: 30 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries.filter((entry) => entry.status === 'failed').length).toBeGreaterThanOrEqual(received - 8);
    expect(entries.filter((entry) => entry.status === 'unknown')).toHaveLength(8);
  }, 90_000);

  it('of a batch that is being cancelled: what was in flight is in the ledger, though nobody sends it again', async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 60_000 }]);
    const server = pools.servers[0];
    folder = await temporaryFolder();
    const config = splitConfig([server?.baseUrl ?? ''], [1], { settings: { drain_seconds: 60 } });
    await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
    const input = chatLines(20);
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    const { id } = await submit(weir, input, { config: 'split' });
    await expect.poll(() => server?.counters.received, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);
    await weir.client.batches.cancel(id);
    await weir.kill();
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
    await waitForBatch(weir, id, { seconds: 30 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries.length).toBeGreaterThanOrEqual(server?.counters.received ?? 0);
    expect(new Set(entries.map(({ custom_id: customId }) => customId)).size).toBe(entries.length);
    expect(entries.every(({ status }) => status === 'unknown')).toBe(true);
  }, 90_000);
});
