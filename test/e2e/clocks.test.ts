import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type DatabaseServer, hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  submit,
  temporaryFolder,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const PRELOAD = join(import.meta.dirname, '../chaos/preload.ts');
const LINES = 400;

let folder: string;
let pools: Pools;
let database: DatabaseServer;
const running: WeirProcess[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((weir) => weir.kill()));
  await Promise.all([database.stop(), pools.stop()]);
  await rm(folder, { recursive: true, force: true });
});

it.runIf(hasDatabaseServer())(
  'servers whose clocks are minutes apart, and set while they work, leave each other’s leases alone',
  async () => {
    folder = await temporaryFolder();
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 60 }]);
    database = await startDatabaseServer(join(folder, 'database'));
    const config = splitConfig(
      pools.servers.map(({ baseUrl }) => baseUrl),
      [1],
      { limits: { concurrency: 4 }, settings: { segment_lines: 20, part_lines: 10, max_open_segments: 4 } },
    );
    const configPath = join(folder, 'weir.json');
    await writeFile(configPath, JSON.stringify(config));
    for (const clockMs of [-60_000, 120_000]) {
      const env = { WEIR_DATABASE_URL: database.url, WEIR_CHAOS_CLOCK_MS: String(clockMs) };
      running.push(await spawnWeir(configPath, folder, { env, preload: PRELOAD }));
    }
    const [behind, ahead] = running as [WeirProcess, WeirProcess];
    const input = chatLines(LINES);
    const { id } = await submit(behind, input, { config: 'split' });
    await waitForBatch(ahead, id, { until: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 50 });
    behind.child.send({ clockMs: 600_000 });
    const { entries } = await assertInvariants(ahead, (await waitForBatch(ahead, id)).id, input);
    expect(entries).toHaveLength(LINES);
    expect(pools.servers[0]?.counters.received).toBe(LINES);
  },
  60_000,
);
