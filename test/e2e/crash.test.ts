import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
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
});
