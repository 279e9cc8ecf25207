import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasWorkerd, type LocalWorker, startLocalWorker } from '../../src/runtime/worker/dev/local-worker.ts';
import { hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { assertInvariants } from '../e2e/invariants.ts';
import {
  chatModels,
  type NativeServices,
  poolModel,
  serviceNames,
  startNativeServices,
} from '../e2e/native-services.ts';
import { ADMIN_KEY, chatLines, connect, submit, temporaryFolder, waitForBatch } from '../e2e/weir.ts';

const SECONDS = 120;

describe.skipIf(!hasDatabaseServer() || !hasWorkerd())('provider batches of the Worker in workerd', () => {
  const stops: (() => Promise<unknown>)[] = [];
  let services: NativeServices;
  let worker: LocalWorker;

  beforeAll(async () => {
    const folder = await temporaryFolder();
    stops.push(() => rm(folder, { recursive: true, force: true }));
    const database = await startDatabaseServer(join(folder, 'database'));
    stops.push(() => database.stop());
    services = await startNativeServices({ jobMs: 100 });
    services.servers.bedrock.configure({ records_min: 1 });
    stops.push(() => services.stop());
    const config = { providers: services.providers, settings: { poll_seconds_min: 1 } };
    worker = await startLocalWorker({
      environment: {
        ...{ WEIR_DATABASE_URL: database.url, WEIR_ADMIN_KEY: ADMIN_KEY, WEIR_LOG_LEVEL: 'warn' },
        WEIR_CONFIG_TEXT: JSON.stringify(config),
      },
      ...{ persist: false, port: 0, watch: false, quiet: true },
    });
    stops.push(() => worker.stop());
  }, SECONDS * 1000);

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  it(
    'run at all five services and beside a pool, are paid for once and leave nothing behind',
    async () => {
      const weir = connect(worker.url);
      const native = serviceNames.map((provider) => ({ provider, model: chatModels[provider], mode: 'batch' }));
      const targets = [...native, { provider: 'pool', model: poolModel, mode: 'immediate' }];
      // More than the least number of records of Bedrock for each.
      const input = chatLines(targets.length * 100);
      const { id } = await submit(weir, input, {
        config: { strategy: { mode: 'loadbalance' }, targets: targets.map((target) => ({ ...target, weight: 1 })) },
        window: '24h',
      });
      const ended = new AbortController();
      const cron = (async () => {
        while (!ended.signal.aborted) await worker.cron();
      })();
      try {
        await waitForBatch(weir, id, { seconds: 90, everyMs: 200 });
        const { output, entries } = await assertInvariants(weir, id, input);
        expect([output.length, entries.length]).toEqual([600, 600]);
        const lines = (name: string) => entries.filter(({ provider }) => provider === name).length;
        expect(targets.map(({ provider }) => lines(provider))).toEqual(targets.map(() => 100));
        expect(services.created()).toEqual({ openai: 1, azure: 1, bedrock: 1, vertex: 1, anthropic: 1 });
        const left = () => Object.values(services.left()).map(({ live, files }) => live + files);
        await expect.poll(left, { timeout: 20_000 }).toEqual([0, 0, 0, 0, 0]);
      } finally {
        ended.abort();
        await cron;
      }
    },
    SECONDS * 1000,
  );
});
