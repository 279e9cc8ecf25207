import { describe, expect, it } from 'vitest';
import { ask, cacheServer } from './cache-server.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, submit, waitForBatch } from './weir.ts';

describe('the cache of a route', () => {
  const cache = cacheServer();

  it('runs identical lines of a batch once, and accounts for each', async () => {
    await cache.open(20);
    const input = chatLines(60, (index) => ask(`Question ${index % 12}`, { max_tokens: 64 }));
    const batch = await submit(cache.weir, input, { config: 'kept' });
    const done = await waitForBatch(cache.weir, batch.id);
    expect(done.request_counts).toEqual({ total: 60, completed: 60, failed: 0 });
    expect(cache.received()).toBe(12);
    const { entries: booked } = await assertInvariants(cache.weir, batch.id, input);
    expect(booked).toHaveLength(60);
    expect(booked.filter(({ amount_nano_usd: amount }) => amount === 0)).toHaveLength(48);
    expect(booked.every(({ list_amount_nano_usd: list }) => list !== null && list > 0)).toBe(true);
  });

  it('gives the whole time of a pool that is paid by the hour to the line that was sent, and none to those that wait for it', async () => {
    const latencyMs = 200;
    await cache.open(latencyMs, { gpu_hour: 3.6, gpus: 1 });
    const input = chatLines(8, () => ask('The same'));
    const batch = await submit(cache.weir, input, { config: 'kept' });
    await waitForBatch(cache.weir, batch.id);
    const { entries: booked } = await assertInvariants(cache.weir, batch.id, input);
    const paid = booked.filter(({ amount_nano_usd: amount }) => amount !== 0);
    expect([paid.length, cache.received(), booked.length]).toEqual([1, 1, 8]);
    expect(paid[0]?.usage?.gpu_microseconds).toBeGreaterThan(latencyMs * 900);
  });

  it('buys what follows an answer that did not serve once for identical lines, and not again in the next batch', async () => {
    await cache.open(20);
    const input = chatLines(50, (index) => ask(`Question ${index % 2}`, { max_tokens: 4 }));
    const healing = { action: 'retry', max_tokens_factor: 16, attempts: 2 };
    const config = { provider: 'p', model: 'm', cache: { mode: 'simple', max_age: 3600 }, on_truncation: healing };
    const run = async (): Promise<number> => {
      const batch = await submit(cache.weir, input, { config });
      expect((await waitForBatch(cache.weir, batch.id)).request_counts).toEqual({
        total: 50,
        completed: 50,
        failed: 0,
      });
      const { entries: booked, lines } = await assertInvariants(cache.weir, batch.id, input);
      expect(lines.every(({ weir: { finish_reason: end, attempts } }) => end === 'stop' && attempts > 1)).toBe(true);
      expect(booked.length).toBeGreaterThanOrEqual(100);
      return booked.filter(({ amount_nano_usd: amount }) => amount !== 0).length;
    };
    const paid = await run();
    // Two questions, each asked again once or twice.
    expect(paid).toBe(cache.received());
    expect(paid).toBeLessThanOrEqual(6);
    expect(await run()).toBe(0);
    expect(cache.received()).toBe(paid);
  });
});
