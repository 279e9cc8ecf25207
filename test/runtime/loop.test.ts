import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { kinds } from '../../providers/registry.ts';
import type { Deps } from '../../src/ports/deps.ts';
import { loadConfig } from '../../src/runtime/load.ts';
import { startLoop } from '../../src/runtime/loop.ts';
import { nodeDeps } from '../../src/runtime/node-deps.ts';
import { chatLines, splitConfig, startPools, temporaryFolder } from '../e2e/weir.ts';
import { beginBatch } from '../services/shards/rig.ts';

const IN_FLIGHT = 4;

it('a process that was without time for longer than its leases goes on with its work, and sends nothing again', async () => {
  const folder = await temporaryFolder();
  const pools = await startPools([{ models: ['gpt-4o-mini'], rate_hang: 1 }]);
  const config = splitConfig(
    pools.servers.map(({ baseUrl }) => baseUrl),
    [1],
    { limits: { concurrency: IN_FLIGHT, adaptive: false }, settings: { drain_seconds: 0 } },
  );
  const loaded = await loadConfig({
    environment: { WEIR_DATA_DIR: folder },
    kinds,
    readText: () => Promise.resolve(JSON.stringify(config)),
  });
  const real = await nodeDeps(loaded, true);
  let aheadMs = 0;
  let looked: ((recovered: number) => void) | null = null;
  const clock: Deps['clock'] = {
    now: () => real.clock.now() + aheadMs,
    micros: () => real.clock.micros() + aheadMs * 1000,
    sleep: (ms, signal) => real.clock.sleep(ms, signal),
  };
  const { segments } = real.store;
  const recover = segments.recover.bind(segments);
  segments.recover = async (query) => {
    const recovered = await recover(query);
    looked?.(recovered);
    return recovered;
  };
  const nextLook = () =>
    new Promise<number>((resolve) => {
      looked = resolve;
    });
  const deps = { ...real, clock };
  await beginBatch(deps, chatLines(40), { config: 'split' });
  const loop = await startLoop(deps, { exclusive: false });
  try {
    await expect.poll(() => pools.servers[0]?.counters.received, { timeout: 10_000 }).toBe(IN_FLIGHT);
    await nextLook();
    aheadMs = 10 * loaded.config.settings.leaseSeconds * 1000;
    expect(await nextLook()).toBe(0);
    expect(await nextLook()).toBe(0);
    expect(pools.servers[0]?.counters.received).toBe(IN_FLIGHT);
  } finally {
    await loop.stop();
    await pools.stop();
    await real.store.close();
    await real.http.close();
    await rm(folder, { recursive: true, force: true });
  }
}, 30_000);
