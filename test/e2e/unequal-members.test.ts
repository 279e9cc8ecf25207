import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const LONG = [{ role: 'user', content: 'word '.repeat(60) }];

describe('a pool whose members do not take the same requests', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir.stop();
    await pools.stop();
  });

  async function open() {
    // The first has less context, and refuses long prompts at once: it is always the least loaded one.
    pools = await startPools([
      { models: ['m'], latency_ms: 100, max_model_len: 40 },
      { models: ['m'], latency_ms: 100 },
    ]);
    const base_urls = pools.servers.map(({ baseUrl }) => baseUrl);
    weir = await startWeir({
      providers: {
        pool: {
          kind: 'vllm',
          base_urls,
          models: ['m'],
          limits: { concurrency: 8 },
          price: { input: 1, output: 1 },
        },
      },
      settings: { drain_seconds: 1 },
    });
    return pools.servers.map(({ counters }) => counters);
  }

  it('loses no line and no call to the one that refuses them, and sends it few', async () => {
    const [short, other] = await open();
    const input = chatLines(200, () => ({ model: 'pool/m', max_tokens: 16, messages: LONG }));
    const batch = await waitForBatch(weir, (await submit(weir, input)).id);
    expect(batch.request_counts).toEqual({ total: 200, completed: 200, failed: 0 });
    expect(short!.received).toBeLessThan(40);
    expect(other!.received).toBe(200);
    await assertInvariants(weir, batch.id, input);
    for (let count = 0; count < 10; count++) {
      const body = JSON.stringify({ model: 'pool/m', max_tokens: 16, messages: LONG });
      await weir.call('/v1/chat/completions', { method: 'POST', body });
    }
  });

  it('asks two of them about a line that none can take, and uses both for the others', async () => {
    const counters = await open();
    const input = chatLines(60, (index) => ({
      model: 'pool/m',
      max_tokens: 16,
      messages: [{ role: 'user', content: 'short' }],
      ...(index % 3 === 0 && { n: 1_000 }),
    }));
    const batch = await waitForBatch(weir, (await submit(weir, input)).id);
    expect(batch.request_counts).toEqual({ total: 60, completed: 40, failed: 20 });
    expect(counters.reduce((sum, { received }) => sum + received, 0)).toBeLessThanOrEqual(80);
    for (const { received } of counters) expect(received).toBeGreaterThan(10);
    await assertInvariants(weir, batch.id, input);
  });
});
