import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = 'gpt-4o-mini';
const OTHER = 'gpt-4o';
/** A window that is not open now, nor in the next hour. */
const closed = (): object => {
  const hour = (new Date().getUTCHours() + 3) % 24;
  const time = (at: number) => `${String(at).padStart(2, '0')}:00`;
  return { windows: [{ from: time(hour), to: time(hour + 1) }] };
};

describe('a route’s targets with rates and hours of their own', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir.stop();
    await pools.stop();
  });

  const by = (targets: object[]) => ({ strategy: { mode: 'loadbalance', by: 'capacity' }, targets });

  async function open(routes: Record<string, unknown>, concurrency = 256): Promise<void> {
    const models = [MODEL, OTHER];
    pools = await startPools([{ models, latency_ms: concurrency < 256 ? 10 : 0 }, { models: [MODEL] }]);
    const providers = Object.fromEntries(
      pools.servers.map(({ baseUrl }, index) => [
        `p${index}`,
        {
          kind: 'vllm',
          base_urls: [baseUrl],
          models: index === 0 ? models : [MODEL],
          price: { input: 1, output: 2 },
          // A limit that adapts gives a busy machine fewer slots than there are to divide.
          limits: { concurrency, adaptive: false },
        },
      ]),
    );
    weir = await startWeir({ providers, routes });
  }

  const target = (provider: string, more: object = {}) => ({ provider, model: MODEL, ...more });
  const call = (config: string) =>
    weir.client.chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'What is 2 + 2?' }],
      config,
    } as never);
  const received = () => pools.servers.map(({ counters }) => counters.received);

  it('are called no faster by batch lines and calls together, and hold up no other target of the provider', async () => {
    await open({
      slow: target('p0', { limits: { requests_per_minute: 600 } }),
      free: target('p0'),
    });
    const started = Date.now();
    const input = chatLines(25);
    const { id } = await submit(weir, input, { config: 'slow' });
    const calls = Promise.all(Array.from({ length: 10 }, () => call('slow')));
    const many = chatLines(300);
    const other = await submit(weir, many, { config: 'free' });
    await assertInvariants(weir, (await waitForBatch(weir, other.id)).id, many);
    await calls;
    await assertInvariants(weir, (await waitForBatch(weir, id)).id, input);
    // Ten may go at once, the other 25 at ten a second.
    expect(Date.now() - started).toBeGreaterThan(2_400);
    expect(received()).toEqual([335, 0]);
  }, 30_000);

  it('at one provider pull from one queue each by its own limits, in whatever order they stand', async () => {
    await open({
      first: by([target('p0', { limits: { requests_per_minute: 60 } }), { ...target('p0'), model: OTHER }]),
      // Other limits, so that what the first batch used is not theirs.
      last: by([{ ...target('p0'), model: OTHER }, target('p0', { limits: { requests_per_minute: 66 } })]),
    });
    for (const config of ['first', 'last']) {
      const started = Date.now();
      const input = chatLines(60);
      const { id } = await submit(weir, input, { config });
      const { entries } = await assertInvariants(weir, (await waitForBatch(weir, id)).id, input);
      const slow = entries.filter(({ target: name }) => name === `p0/${MODEL}`).length;
      // One at once, and about one a second.
      expect(slow).toBeGreaterThan(0);
      expect(slow).toBeLessThanOrEqual(2 + (1.1 * (Date.now() - started)) / 1000);
      expect(entries).toHaveLength(60);
    }
  });

  it('divide the slots of one provider by their weights', async () => {
    await open({ weighted: by([target('p0', { weight: 75 }), { ...target('p0', { weight: 25 }), model: OTHER }]) }, 4);
    const input = chatLines(400);
    const { id } = await submit(weir, input, { config: 'weighted' });
    const { entries } = await assertInvariants(weir, (await waitForBatch(weir, id)).id, input);
    const heavy = entries.filter(({ target: name }) => name === `p0/${MODEL}`).length;
    expect(heavy).toBeGreaterThan(0.65 * 400);
    expect(heavy).toBeLessThan(0.85 * 400);
  });

  it('answer a call with 429 and the time to wait when their tokens are spent for longer than it may wait', async () => {
    await open({ tight: target('p0', { limits: { tokens_per_minute: 60 }, retry: { attempts: 0 } }) });
    const ask = (content: string) =>
      weir.client.chat.completions.create(
        { model: MODEL, messages: [{ role: 'user', content }], config: 'tight' } as never,
        { maxRetries: 0 },
      );
    await ask('word '.repeat(400));
    const refused = await ask('more').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 429, message: expect.stringContaining(`p0/${MODEL}`) });
    expect(Number((refused as { headers: Headers }).headers.get('retry-after'))).toBeGreaterThan(60);
  });

  it('outside their hours leave batch lines to the next target, or let them wait, and take calls as ever', async () => {
    await open({
      nights: { strategy: { mode: 'fallback' }, targets: [target('p0', { schedule: closed() }), target('p1')] },
      only: target('p0', { schedule: closed() }),
    });
    const waiting = await submit(weir, chatLines(10), { config: 'only' });
    const input = chatLines(40);
    const { id } = await submit(weir, input, { config: 'nights' });
    const { entries } = await assertInvariants(weir, (await waitForBatch(weir, id)).id, input);
    expect(new Set(entries.map(({ provider }) => provider))).toEqual(new Set(['p1']));
    await call('nights');
    expect(received()).toEqual([1, 40]);
    const still = await weir.client.batches.retrieve(waiting.id);
    expect(still).toMatchObject({ status: 'in_progress', request_counts: { completed: 0, failed: 0 } });
    await weir.client.batches.cancel(waiting.id);
    expect((await waitForBatch(weir, waiting.id)).status).toBe('cancelled');
  });
});
