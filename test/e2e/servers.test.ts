import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type DatabaseServer, hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  connect,
  type Pools,
  spawnWeir,
  startPools,
  submit,
  temporaryFolder,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const MODEL = 'gpt-4o-mini';

describe('two servers on one database', () => {
  let pools: Pools;
  let database: DatabaseServer;
  let folder: string;
  let servers: WeirProcess[] = [];

  afterEach(async () => {
    await Promise.all(servers.map((weir) => weir.kill()));
    servers = [];
    await Promise.all([pools?.stop(), database?.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  it.runIf(hasDatabaseServer())(
    'keep together to the requests a minute of a provider, a target and a key',
    async () => {
      folder = await temporaryFolder();
      database = await startDatabaseServer(join(folder, 'database'));
      pools = await startPools([{ models: [MODEL] }, { models: [MODEL] }, { models: [MODEL] }]);
      const rate = { requests_per_minute: 1_200 };
      const providers = Object.fromEntries(
        pools.servers.map(({ baseUrl }, index) => [
          `p${index}`,
          {
            kind: 'vllm',
            base_urls: [baseUrl],
            models: [MODEL],
            price: { input: 1, output: 2 },
            ...(index === 0 && { limits: rate }),
          },
        ]),
      );
      const target = { provider: 'p1', model: MODEL, limits: rate };
      const config = {
        providers,
        routes: {
          provider: { provider: 'p0', model: MODEL },
          target: { strategy: { mode: 'single' }, targets: [target] },
        },
        settings: { segment_lines: 10, max_open_segments: 2 },
      };
      await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
      for (let index = 0; index < 2; index++) {
        const env = { WEIR_DATABASE_URL: database.url };
        servers.push(await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'), { env }));
      }
      const [one, two] = servers as [WeirProcess, WeirProcess];
      const input = chatLines(120);
      const ids = await Promise.all([
        submit(one, input, { config: 'provider' }),
        submit(two, input, { config: 'target' }),
      ]);
      // By then each knows of the other, and has spent what it had saved up.
      const counted = async (count: number, from: number) =>
        expect
          .poll(() => (pools.servers[from]?.counters.received ?? 0) >= count, { timeout: 30_000, interval: 20 })
          .toBe(true);
      await Promise.all(
        [0, 1].map(async (from) => {
          await counted(40, from);
          const started = performance.now();
          const first = pools.servers[from]?.counters.received ?? 0;
          await counted(110, from);
          const sent = (pools.servers[from]?.counters.received ?? 0) - first;
          // Twenty a second in all, beside the second's worth that may be saved up.
          expect(sent).toBeLessThanOrEqual(20 * ((performance.now() - started) / 1000) + 22);
        }),
      );
      for (const { id } of ids) await assertInvariants(one, (await waitForBatch(one, id)).id, input);

      const key = await one.call<{ secret: string }>('/v1/keys', {
        method: 'POST',
        body: JSON.stringify({ name: 'k', limits: { requests_per_minute: 20 } }),
      });
      const ask = (weir: WeirProcess) =>
        connect(weir.url, key.secret).client.chat.completions.create({
          model: `p2/${MODEL}`,
          messages: [{ role: 'user', content: 'hi' }],
        });
      const calls = [one, two].flatMap((weir) => Array.from({ length: 20 }, () => ask(weir)));
      const outcomes = await Promise.allSettled(calls);
      const answered = outcomes.filter(({ status }) => status === 'fulfilled').length;
      expect(answered).toBeGreaterThanOrEqual(20);
      expect(answered).toBeLessThan(30);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
      }
      expect(pools.servers[2]?.counters.received).toBe(answered);
    },
    120_000,
  );
});
