import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Trouble } from '../chaos/preload.ts';
import { assertInvariants } from './invariants.ts';
import { chatModels, type NativeServices, poolModel, serviceNames, startNativeServices } from './native-services.ts';
import { chatLines, spawnWeir, submit, temporaryFolder, type WeirProcess, waitForBatch } from './weir.ts';

const PRELOAD = join(import.meta.dirname, '../chaos/preload.ts');
const LINES = 60;

describe('what a client asks for while a batch is at its most delicate, and kill -9 right behind it', () => {
  let services: NativeServices;
  let weir: WeirProcess;
  let folder: string;

  afterEach(async () => {
    await weir?.kill();
    await services?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<void> => {
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'), { preload: PRELOAD });
  };

  async function open(): Promise<void> {
    services = await startNativeServices({ jobMs: 200 });
    folder = await temporaryFolder();
    const targets = Object.entries(chatModels).map(([provider, model]) => ({ provider, model, weight: 1 }));
    const settings = {
      lease_seconds: 5,
      poll_seconds_min: 1,
      cancel_seconds: 2,
      orphan_seconds: 3,
      drain_seconds: 1,
      part_lines: 10,
    };
    const routes = { native: { strategy: { mode: 'loadbalance' }, targets } };
    await writeFile(join(folder, 'weir.json'), JSON.stringify({ providers: services.providers, routes, settings }));
    await start();
  }

  async function restart(): Promise<void> {
    await weir.kill();
    await start();
  }

  /** Nothing of ours runs or lies at a provider. */
  const tidy = () => {
    const left = services.left();
    return serviceNames.filter((name) => left[name].live > 0 || left[name].files > 0);
  };

  it('a cancel while shards are being submitted: the batch ends, every provider batch is known and gone', async () => {
    await open();
    const input = chatLines(LINES, () => ({ model: 'any' }));
    // As soon as anything of it is at a provider, and at moments after that.
    for (const laterMs of [0, 60]) {
      const before = serviceNames.reduce((sum, name) => sum + services.left()[name].files, 0);
      const { id } = await submit(weir, input, { config: 'native', window: '24h' });
      const begun = () => serviceNames.reduce((sum, name) => sum + services.left()[name].files, 0) > before;
      await expect.poll(begun, { timeout: 20_000, interval: 5 }).toBe(true);
      await pause(laterMs);
      const { status } = await weir.client.batches.cancel(id);
      expect(['cancelling', 'cancelled']).toContain(status);
      await restart();
      expect((await waitForBatch(weir, id, { seconds: 40 })).status).toBe('cancelled');
      await assertInvariants(weir, id, input);
      await expect.poll(tidy, { timeout: 40_000 }).toEqual([]);
    }
  }, 180_000);

  it('a delete of the input file while its provider batches run: they are collected, the file is gone afterwards', async () => {
    await open();
    services.hold(true);
    const input = chatLines(LINES, () => ({ model: 'any' }));
    const { id, input_file_id: fileId } = await submit(weir, input, { config: 'native', window: '24h' });
    const created = () => Object.values(services.created()).reduce((sum, count) => sum + count, 0);
    await expect.poll(created, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await weir.client.files.delete(fileId)).toMatchObject({ deleted: true });
    await restart();
    services.hold(false);
    expect((await waitForBatch(weir, id, { seconds: 60 })).status).toBe('completed');
    await assertInvariants(weir, id, input);
    await expect(weir.client.files.retrieve(fileId)).rejects.toMatchObject({ status: 404 });
    await expect.poll(tidy, { timeout: 40_000 }).toEqual([]);
  }, 150_000);

  it('a cancel while the files are being written: it is refused, and they are written after the kill', async () => {
    await open();
    services.pool.configure({ latency_ms: 50 });
    const input = chatLines(LINES, () => ({ model: poolModel }));
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) >= LINES / 2, everyMs: 5 });
    // Its files take long enough to be written that something can happen meanwhile.
    weir.child.send({ diskMs: 500 } satisfies Trouble);
    await waitForBatch(weir, id, { until: (batch) => batch.status === 'finalizing', everyMs: 5 });
    await expect(weir.client.batches.cancel(id)).rejects.toMatchObject({ status: 409 });
    await restart();
    expect((await waitForBatch(weir, id, { seconds: 40 })).status).toBe('completed');
    await assertInvariants(weir, id, input);
    expect(services.pool.counters.received).toBe(LINES);
  }, 120_000);
});
