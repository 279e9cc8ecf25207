import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  realInput,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'] };

describe('immediate mode under faults', () => {
  let pools: Pools | undefined;
  let weir: Weir | undefined;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    weir = undefined;
    pools = undefined;
  });

  async function run(
    servers: Parameters<typeof startPools>[0],
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<{ weir: Weir; pools: Pools }> {
    pools = await startPools(servers);
    const urls = pools.servers.map((server) => server.baseUrl);
    weir = await startWeir(splitConfig(urls, [40, 30, 30].slice(0, urls.length), extra));
    return { weir, pools };
  }

  it('does every line with 10 % 429, 5 % 500, 2 % resets, and one server gone half-way', async () => {
    const faults = { ...MODEL, rate_429: 0.1, rate_500: 0.05, rate_reset: 0.02, latency_ms: 5 };
    const running = await run([faults, { ...faults, seed: 2 }, { ...faults, seed: 3 }]);
    const input = await realInput();
    const total = input.trimEnd().split('\n').length;
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id, {
      until: ({ request_counts: counts }) => (counts?.completed ?? 0) > total / 2,
      seconds: 60,
    });
    await running.pools.servers[2]?.crash();
    const ended = await waitForBatch(running.weir, batch.id, { seconds: 90 });
    expect(ended.request_counts).toEqual({ total, completed: total, failed: 0 });
    const { entries } = await assertInvariants(running.weir, batch.id, input);

    expect(entries.filter((entry) => entry.status_code === 429).length).toBeGreaterThan(0);
    expect(entries.filter((entry) => entry.status_code === 500).length).toBeGreaterThan(0);
    expect(entries.filter((entry) => entry.status === 'unknown').length).toBeGreaterThan(0);
    expect(entries.filter((entry) => entry.attempt > 1).length).toBeGreaterThan(0);
    const received = running.pools.servers.reduce((sum, server) => sum + server.counters.received, 0);
    // A crash can cut connections on which the server had not read the request yet: those are entries too.
    const cut = entries.filter((entry) => entry.status === 'unknown').length;
    expect(entries.length).toBeGreaterThanOrEqual(received);
    expect(entries.length).toBeLessThanOrEqual(received + cut);
  }, 180_000);

  it('waits out a time of nothing but 429 with Retry-After and loses no line', async () => {
    const running = await run([{ ...MODEL, rate_429: 1, retry_after: 'seconds', retry_after_seconds: 1 }]);
    const input = chatLines(100);
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id, {
      until: () => (running.pools.servers[0]?.counters.received ?? 0) >= 10,
    });
    running.pools.servers[0]?.configure({ rate_429: 0 });
    const ended = await waitForBatch(running.weir, batch.id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 100, completed: 100, failed: 0 });
    await assertInvariants(running.weir, batch.id, input);
    expect(running.pools.servers[0]?.counters.received).toBeLessThan(100 * 6);
  }, 90_000);

  it('waits for its only server to come back', async () => {
    const running = await run([MODEL]);
    await running.pools.servers[0]?.crash();
    const input = chatLines(50);
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id, { until: (current) => current.status === 'in_progress' });
    await running.pools.servers[0]?.restart();
    const ended = await waitForBatch(running.weir, batch.id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: 50, completed: 50, failed: 0 });
    await assertInvariants(running.weir, batch.id, input);
  }, 60_000);

  it('fails a line that always fails, alone, after its retries', async () => {
    const running = await run([{ ...MODEL, poison: [{ contains: 'Question 7:', fail_with: 500 }] }], {
      retry: { attempts: 2 },
    });
    const input = chatLines(20);
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id);
    const { errors, entries } = await assertInvariants(running.weir, batch.id, input);
    expect(errors.map((line) => line.custom_id)).toEqual(['request-7']);
    expect(errors[0]?.response?.status_code).toBe(500);
    expect(entries.filter((entry) => entry.custom_id === 'request-7')).toHaveLength(3);
  });

  it('does not repeat a line that the target refuses as the client’s mistake', async () => {
    const running = await run([
      { ...MODEL, poison: [{ contains: 'Question 3:', fail_with: 400 }] },
      { ...MODEL, poison: [{ contains: 'Question 3:', fail_with: 400 }] },
    ]);
    const input = chatLines(10);
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id);
    const { errors, entries } = await assertInvariants(running.weir, batch.id, input);
    expect(errors.map((line) => line.response?.status_code)).toEqual([400]);
    expect(entries.filter((entry) => entry.custom_id === 'request-3')).toHaveLength(1);
  });

  it('gives up on a server that never answers and says that the call may have been billed', async () => {
    const running = await run([{ ...MODEL, poison: [{ contains: 'Question 1:', fail_with: 'hang' }] }], {
      settings: { request_timeout_ms: 300 },
      retry: { attempts: 1 },
    });
    const input = chatLines(4);
    const batch = await submit(running.weir, input, { config: 'split' });
    await waitForBatch(running.weir, batch.id);
    const { errors, entries, batch: object } = await assertInvariants(running.weir, batch.id, input);
    expect(errors).toHaveLength(1);
    const hung = entries.filter((entry) => entry.custom_id === 'request-1');
    expect(hung.map((entry) => entry.status)).toEqual(['unknown', 'unknown']);
    expect(hung.every((entry) => entry.amount_nano_usd === null)).toBe(true);
    expect(object.cost.unpriced_entries).toBe(2);
  });

  it('treats pages of HTML, cut bodies and slow bodies as trouble and goes on', async () => {
    const running = await run(
      [{ ...MODEL, rate_bad_json: 0.1, rate_reset_mid_body: 0.05, rate_slow_body: 0.05, slow_body_ms: 200 }],
      { retry: { attempts: 5 } },
    );
    const input = chatLines(150);
    const batch = await submit(running.weir, input, { config: 'split' });
    const ended = await waitForBatch(running.weir, batch.id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 150, completed: 150, failed: 0 });
    await assertInvariants(running.weir, batch.id, input);
  }, 90_000);
});
