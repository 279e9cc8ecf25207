import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../providers/sandbox/servers/random.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, splitConfig, startPools, startWeir, submit, temporaryFolder, waitForBatch } from './weir.ts';

/** Many small segments and parts, so that commands meet every state of them. */
const SETTINGS = { part_lines: 7, max_open_segments: 4, lease_seconds: 5, drain_seconds: 1 };
const FAULTS = { rate_429: 0.1, rate_500: 0.02, rate_reset: 0.02 };
const COMMANDS = ['pause', 'pause', 'pause', 'resume', 'resume', 'resume', 'resume', 'restart', 'cancel', 'wait'];

describe('commands in any order', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'of seed %i: both batches end, the books balance, every call is in them',
    async (seed) => {
      const random = seededRandom(seed);
      const below = (bound: number) => Math.floor(random() * bound);
      const server = { models: ['gpt-4o-mini'], seed, ...(seed % 2 === 0 && FAULTS) };
      const pools = await startPools([
        { ...server, latency_ms: { min: 0, max: 30 } },
        { ...server, latency_ms: { min: 0, max: 60 } },
      ]);
      const urls = pools.servers.map(({ baseUrl }) => baseUrl);
      const config = splitConfig(urls, [2, 1], {
        limits: { concurrency: 8 },
        retry: { attempts: 5 },
        price: seed > 3 ? { gpu_hour: 2.5, gpus: 1 } : { input: 0.15, output: 0.6 },
        settings: { ...SETTINGS, segment_lines: 5 + below(30), immediate_window_seconds: seed === 5 ? 2 : 60 },
      });
      const folder = await temporaryFolder();
      let weir = await startWeir(config, { folder });
      try {
        const inputs = [0, 1].map(() =>
          chatLines(20 + below(200), (line) => (line % 37 === 36 ? { model: 'none' } : {})),
        );
        const ids: string[] = [];
        for (const input of inputs) ids.push((await submit(weir, input, { config: 'split' })).id);
        for (let step = 0; step < 10; step++) {
          const command = COMMANDS[below(COMMANDS.length)];
          if (command === 'restart') {
            await weir.stop();
            weir = await startWeir(config, { folder });
          } else if (command !== 'wait') {
            // A batch that has ended meanwhile refuses, which is as good.
            await weir.call(`/v1/batches/${ids[below(2)]}/${command}`, { method: 'POST' }).catch(() => null);
          }
          await new Promise((wake) => setTimeout(wake, random() * 80));
        }
        let entries = 0;
        for (const [index, id] of ids.entries()) {
          await weir.call(`/v1/batches/${id}/resume`, { method: 'POST' }).catch(() => null);
          await waitForBatch(weir, id, { seconds: 20 });
          entries += (await assertInvariants(weir, id, inputs[index] as string)).entries.length;
        }
        expect(entries).toBe(pools.servers.reduce((sum, { counters }) => sum + counters.received, 0));
      } finally {
        await weir.stop();
        await pools.stop();
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
