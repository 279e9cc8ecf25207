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
  waitForBatch,
} from './weir.ts';

describe('a provider that is no longer in the config', () => {
  let pools: Pools;
  let folder: string;

  afterEach(async () => {
    await pools.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function interrupted(
    weights: number[],
  ): Promise<{ id: string; input: string; config: ReturnType<typeof splitConfig> }> {
    folder = await temporaryFolder();
    pools = await startPools(weights.map(() => ({ models: ['gpt-4o-mini'], latency_ms: 20 })));
    const config = splitConfig(
      pools.servers.map((server) => server.baseUrl),
      weights,
      { limits: { concurrency: 2 } },
    );
    const input = chatLines(120);
    const before = await startWeir(config, { folder });
    const { id } = await submit(before, input, { config: 'split' });
    await waitForBatch(before, id, { until: ({ request_counts: counts }) => (counts?.completed ?? 0) > 10 });
    await before.stop();
    return { id, input, config };
  }

  it('leaves its lines to the other targets of their route', async () => {
    const { id, input, config } = await interrupted([1, 1]);
    const { 'pool-b': pool } = config.providers as Record<string, unknown>;
    const after = await startWeir({ providers: { 'pool-b': pool } }, { folder });
    const ended = await waitForBatch(after, id);
    expect(ended.request_counts).toEqual({ total: 120, completed: 120, failed: 0 });
    await assertInvariants(after, id, input);
    await after.stop();
  }, 40_000);

  it('fails its lines with a reason when there is no other target', async () => {
    const { id, input, config } = await interrupted([1]);
    const { 'pool-a': pool } = config.providers as Record<string, unknown>;
    const after = await startWeir({ providers: { other: pool } }, { folder });
    const ended = await waitForBatch(after, id);
    expect(ended.status).toBe('completed');
    const { errors } = await assertInvariants(after, id, input);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every((line) => line.error?.code === 'provider_unavailable')).toBe(true);
    await after.stop();
  }, 40_000);
});
