import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const SLOTS = 8;
const STRANGERS = 32;

interface Providers {
  data: { in_flight: number; members: { limit: number }[] }[];
}

/** Others who use the pool without Weir, each with one request after the other, until `stop`. */
function startSurge({ baseUrl }: SimulatedServer): () => Promise<void> {
  let isOn = true;
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'me first' }], max_tokens: 16 });
  const headers = { 'content-type': 'application/json' };
  const strangers = Array.from({ length: STRANGERS }, async () => {
    while (isOn) await (await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body })).text();
  });
  return async () => {
    isOn = false;
    await Promise.all(strangers);
  };
}

describe('a surge of others at a pool', () => {
  let pools: Pools;
  let weir: Weir;
  let calm: () => Promise<void> = () => Promise.resolve();

  afterEach(async () => {
    await calm();
    await weir.stop();
    await pools.stop();
  });

  it('takes the pool from batch lines within seconds, keeps no small batch from its window, and gives the pool back', async () => {
    pools = await startPools([{ models: ['m'], slots: SLOTS, latency_ms: 60 }]);
    const [pool] = pools.servers as [SimulatedServer];
    weir = await startWeir({
      providers: {
        pool: { kind: 'vllm', base_urls: [pool.baseUrl], models: ['m'], price: { input: 1, output: 1 } },
      },
      settings: { drain_seconds: 1, segment_lines: 200 },
    });
    const inFlight = async () => (await weir.call<Providers>('/v1/providers')).data[0]?.in_flight ?? Number.NaN;
    const lines = (count: number) => chatLines(count, () => ({ model: 'pool/m', max_tokens: 16 }));
    const all = lines(20_000);
    const { id } = await submit(weir, all);
    await expect.poll(inFlight, { timeout: 10_000 }).toBeGreaterThanOrEqual(SLOTS - 1);

    calm = startSurge(pool);
    await expect.poll(inFlight, { timeout: 10_000 }).toBeLessThanOrEqual(SLOTS / 2);
    const few = lines(10);
    const small = await submit(weir, few, { window: '1m' });
    const met = await waitForBatch(weir, small.id);
    expect(met.status).toBe('completed');
    expect(met.completed_at).toBeLessThanOrEqual(met.expires_at ?? 0);
    await assertInvariants(weir, small.id, few);

    await calm();
    await expect.poll(inFlight, { timeout: 20_000 }).toBeGreaterThanOrEqual(SLOTS - 2);
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id);
    await assertInvariants(weir, id, all);
  }, 90_000);
});
