import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
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

describe('two servers on one database', () => {
  let pools: Pools;
  let folder: string;
  const running: Weir[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((weir) => weir.stop()));
    await pools.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('deliver every line once when one takes over the other’s leases, and ledger both calls of a line', async () => {
    folder = await temporaryFolder();
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 30 }]);
    const config = splitConfig(
      pools.servers.map((server) => server.baseUrl),
      [1],
      { limits: { concurrency: 8 }, settings: { segment_lines: 20, part_lines: 10 } },
    );
    const first = await startWeir(config, { folder });
    running.push(first);
    const input = chatLines(400);
    const { id } = await submit(first, input, { config: 'split' });
    await waitForBatch(first, id, { until: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 50 });

    // A start on an embedded database takes every lease for that of a dead process: here its owner still works.
    const second = await startWeir(config, { folder });
    running.push(second);
    const ended = await waitForBatch(second, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: 400, completed: 400, failed: 0 });
    await first.stop();
    running.shift();
    const { entries } = await assertInvariants(second, id, input);
    const received = pools.servers[0]?.counters.received ?? 0;
    expect(received).toBeGreaterThan(400);
    const certain = entries.filter((entry) => entry.status !== 'unknown').length;
    expect(certain).toBe(received);
    expect(entries.some((entry) => entry.status === 'superseded')).toBe(true);
  }, 60_000);
});
