import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { BatchTarget } from '../../src/protocol/batch-insight.ts';
import type { ProviderObject } from '../../src/protocol/route.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from './weir.ts';

const LINES = 300;
type Latency = number | { min: number; max: number };

describe('a target that refuses the account', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function start(
    servers: number,
    settings: object = {},
    latency: Latency = 40,
  ): Promise<Pools['servers'][number][]> {
    weir = await startWeir(await configured(servers, settings, latency));
    return pools.servers;
  }

  /** Starts the servers, and answers the config with them. */
  async function configured(servers: number, settings: object, latency: Latency): Promise<object> {
    pools = await startPools(Array.from({ length: servers }, () => ({ models: ['m'], latency_ms: latency })));
    const names = pools.servers.map((_, index) => `pool-${index}`);
    const provider = (index: number) => ({
      kind: 'openai-compatible',
      base_url: pools.servers[index]?.baseUrl,
      api_key: 'a-key',
      models: ['m'],
      limits: { concurrency: 16 },
      price: { input: 0.1, output: 0.4 },
    });
    return {
      providers: Object.fromEntries(names.map((name, index) => [name, provider(index)])),
      routes: {
        either: { strategy: { mode: 'fallback' }, targets: names.map((name) => ({ provider: name, model: 'm' })) },
      },
      settings,
    };
  }

  const held = async (): Promise<ProviderObject['held']> =>
    (await weir.call<{ data: ProviderObject[] }>('/v1/providers')).data.flatMap((each) => each.held);

  it.each([401, 402, 403])(
    'keeps the lines of a batch through %i in the middle of it, says why, and goes on',
    async (status) => {
      const [server] = await start(1);
      const input = chatLines(LINES, () => ({ model: 'pool-0/m' }));
      const { id } = await submit(weir, input);
      await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 20 });
      server!.configure({ fail_after: 0, fail_with: status as 401 });
      await expect.poll(held, { timeout: 10_000 }).toMatchObject([{ model: 'm', state: 'held' }]);
      const [reason] = await held();
      expect(reason?.message).toBe(
        status === 401 ? 'Incorrect API key provided.' : `Simulated failure with status ${status}.`,
      );
      const metrics = await (await fetch(`${weir.url}/metrics`)).text();
      expect(metrics).toContain('weir_targets_held{provider="pool-0"} 1');
      const { data } = await weir.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`);
      expect(data[0]?.held).toMatchObject({ state: 'held', code: reason?.code });
      const ready = await weir.call<{ waiting_for_operator: object[] }>('/readyz');
      expect(ready.waiting_for_operator).toEqual([{ provider: 'pool-0', code: reason?.code, shards: 0 }]);
      server!.configure({ fail_after: null });
      const ended = await waitForBatch(weir, id, { seconds: 40 });
      expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
      const { entries } = await assertInvariants(weir, id, input);
      expect(entries).toHaveLength(server!.counters.received);
      // What was in flight, and one line now and then.
      expect(server!.counters.by_status.get(status)).toBeLessThan(LINES / 4);
      expect(await held()).toEqual([]);
    },
    60_000,
  );

  it('sends lines to the next target, which takes them all', async () => {
    const [first, second] = await start(2);
    first!.configure({ fail_after: 0, fail_with: 401 });
    const input = chatLines(LINES);
    const ended = await waitForBatch(weir, (await submit(weir, input, { config: 'either' })).id);
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    expect(second!.counters.by_status.get(200)).toBe(LINES);
    expect(first!.counters.received).toBeLessThan(40);
    await assertInvariants(weir, ended.id, input);
  }, 60_000);

  it('fails its lines with what the provider says once that has lasted too long', async () => {
    const [server] = await start(1, { outage_seconds: 2 });
    server!.configure({ fail_after: 0, fail_with: 401 });
    const input = chatLines(100, () => ({ model: 'pool-0/m' }));
    const ended = await waitForBatch(weir, (await submit(weir, input)).id);
    expect(ended.request_counts).toEqual({ total: 100, completed: 0, failed: 100 });
    const { errors } = await assertInvariants(weir, ended.id, input);
    for (const { response } of errors) {
      expect(response).toMatchObject({ status_code: 401, body: { error: { message: 'Incorrect API key provided.' } } });
    }
    expect(await held()).toMatchObject([{ model: 'm', state: 'given_up', code: 'invalid_api_key' }]);
  }, 60_000);

  it('takes lines again once a call is answered there', async () => {
    const [server] = await start(1);
    server!.configure({ fail_after: 0, fail_with: 401 });
    const input = chatLines(LINES, () => ({ model: 'pool-0/m' }));
    const { id } = await submit(weir, input);
    await expect.poll(held, { timeout: 10_000 }).toMatchObject([{ model: 'm', state: 'held' }]);
    await weir.call(`/v1/batches/${id}/pause`, { method: 'POST' });
    server!.configure({ fail_after: null });
    expect(await held()).toMatchObject([{ model: 'm', state: 'held' }]);
    await weir.client.chat.completions.create({ model: 'pool-0/m', messages: [{ role: 'user', content: 'Hello?' }] });
    expect(await held()).toEqual([]);
    await weir.call(`/v1/batches/${id}/resume`, { method: 'POST' });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    await assertInvariants(weir, id, input);
  }, 60_000);

  it('is not taken for mended by answers that were at hand', async () => {
    const [server] = await start(1);
    const [known, open] = [8, 8];
    const config = { provider: 'pool-0', model: 'm', cache: { mode: 'simple', max_age: 3600 } };
    const lines = chatLines(known + open)
      .trimEnd()
      .split('\n');
    const [old, fresh] = [lines.slice(0, known), lines.slice(known)].map((part) => `${part.join('\n')}\n`);
    await waitForBatch(weir, (await submit(weir, old!, { config })).id);
    server!.configure({ fail_after: 0, fail_with: 401 });
    const { id } = await submit(weir, fresh!, { config });
    await expect.poll(held, { timeout: 10_000 }).toMatchObject([{ state: 'held' }]);
    const again = await waitForBatch(weir, (await submit(weir, old!, { config })).id, { seconds: 40 });
    expect(again.request_counts).toEqual({ total: known, completed: known, failed: 0 });
    expect(await held()).toMatchObject([{ state: 'held' }]);
    expect(server!.counters.by_status.get(401)).toBeLessThan(2 * open);
    server!.configure({ fail_after: null });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: open, completed: open, failed: 0 });
    await assertInvariants(weir, id, fresh!);
  }, 60_000);

  it('gets its lines back from the last of several, once it takes them again', async () => {
    const servers = await start(3);
    for (const each of servers) each.configure({ fail_after: 0, fail_with: 401 });
    const input = chatLines(LINES);
    const { id } = await submit(weir, input, { config: 'either' });
    await expect.poll(async () => (await held()).length, { timeout: 20_000 }).toBe(3);
    servers[0]!.configure({ fail_after: null });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    expect(servers[0]!.counters.by_status.get(200)).toBe(LINES);
    await assertInvariants(weir, id, input);
  }, 70_000);

  it.each(['the first', 'the second'] as const)(
    'has its lines back when %s of two takes them again, one refusing them and the other one away',
    async (mended) => {
      const servers = await start(2);
      const [refusing, away] = mended === 'the first' ? servers : servers.toReversed();
      refusing!.configure({ fail_after: 0, fail_with: 401 });
      await away!.stop();
      const input = chatLines(LINES);
      const { id } = await submit(weir, input, { config: 'either' });
      await expect.poll(async () => (await held()).length, { timeout: 20_000 }).toBe(1);
      const isAway = async () =>
        (await weir.call<{ data: ProviderObject[] }>('/v1/providers')).data.some(({ members }) =>
          members.some(({ health_reason: reason }) => reason !== null),
        );
      await expect.poll(isAway, { timeout: 20_000 }).toBe(true);
      refusing!.configure({ fail_after: null });
      const ended = await waitForBatch(weir, id, { seconds: 40 });
      expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
      expect(refusing!.counters.by_status.get(200)).toBe(LINES);
      await assertInvariants(weir, id, input);
    },
    70_000,
  );

  it('keeps them while answers still come to what was sent before it refused', async () => {
    // Answers come one by one, refusals at once.
    const [server] = await start(1, {}, { min: 100, max: 2_000 });
    const input = chatLines(LINES / 3, () => ({ model: 'pool-0/m' }));
    const { id } = await submit(weir, input);
    await expect.poll(() => server!.counters.received, { timeout: 20_000 }).toBeGreaterThan(20);
    const sent = server!.counters.received;
    server!.configure({ fail_after: 0, fail_with: 403 });
    await expect.poll(held, { timeout: 10_000 }).toMatchObject([{ model: 'm', state: 'held' }]);
    await expect.poll(() => server!.counters.by_status.get(200), { timeout: 10_000 }).toBe(sent);
    expect(await held()).toMatchObject([{ model: 'm', state: 'held' }]);
    server!.configure({ fail_after: null });
    const ended = await waitForBatch(weir, id, { seconds: 50 });
    expect(ended.request_counts).toEqual({ total: LINES / 3, completed: LINES / 3, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries).toHaveLength(server!.counters.received);
    expect(server!.counters.by_status.get(403)).toBeLessThan(LINES / 3);
  }, 70_000);

  it('is tried again with the few lines of a batch that nothing else tells of, as it may be mended', async () => {
    const [refusing, mended] = await start(2, { outage_seconds: 4 });
    for (const server of [refusing, mended]) server!.configure({ fail_after: 0, fail_with: 403 });
    const inputs = ['pool-0/m', 'pool-1/m'].map((model) => chatLines(3, () => ({ model })));
    const ids = await Promise.all(inputs.map(async (input) => (await submit(weir, input)).id));
    await expect.poll(() => mended!.counters.received, { timeout: 20_000 }).toBe(6);
    mended!.configure({ fail_after: null });
    const ended = await Promise.all(ids.map((id) => waitForBatch(weir, id)));
    expect(ended.map(({ request_counts }) => request_counts)).toEqual([
      { total: 3, completed: 0, failed: 3 },
      { total: 3, completed: 3, failed: 0 },
    ]);
    expect(refusing!.counters.received).toBeGreaterThanOrEqual(6);
    for (const [index, id] of ids.entries()) await assertInvariants(weir, id, inputs[index]!);
  }, 60_000);

  it('has entered lines of which nobody can tell yet when their batch is paused or cancelled', async () => {
    const [server] = await start(1);
    server!.configure({ fail_after: 0, fail_with: 403 });
    const input = chatLines(3, () => ({ model: 'pool-0/m' }));
    const { id } = await submit(weir, input);
    const all = async (count: number) =>
      expect.poll(() => server!.counters.by_status.get(403), { timeout: 10_000 }).toBe(count);
    await all(3);
    await weir.call(`/v1/batches/${id}/pause`, { method: 'POST' });
    const entries = async () => (await weir.call<{ data: object[] }>(`/v1/ledger/entries?batch=${id}`)).data.length;
    await expect.poll(entries, { timeout: 4_000 }).toBe(3);
    await weir.call(`/v1/batches/${id}/resume`, { method: 'POST' });
    await all(6);
    await weir.client.batches.cancel(id);
    const ended = await waitForBatch(weir, id);
    expect([ended.status, ended.request_counts]).toEqual(['cancelled', { total: 3, completed: 0, failed: 3 }]);
    const { errors } = await assertInvariants(weir, id, input);
    expect(errors.map(({ error }) => error?.code)).toEqual(Array(3).fill('batch_cancelled'));
    expect(await entries()).toBe(6);
  }, 60_000);

  it('has entered lines of which nobody can tell yet when the server stops', async () => {
    const folder = await temporaryFolder();
    try {
      const config = await configured(1, { outage_seconds: 2 }, 600);
      const [server] = pools.servers;
      server!.configure({ fail_after: 0, fail_with: 403 });
      weir = await startWeir(config, { folder });
      const input = chatLines(2, () => ({ model: 'pool-0/m' }));
      const { id } = await submit(weir, input);
      await expect.poll(() => server!.counters.received, { timeout: 10_000 }).toBe(2);
      // They are refused while it waits for what is in flight.
      await weir.stop();
      weir = await startWeir(config, { folder });
      const ended = await waitForBatch(weir, id);
      expect(ended.request_counts).toEqual({ total: 2, completed: 0, failed: 2 });
      const { entries } = await assertInvariants(weir, id, input);
      expect(entries).toHaveLength(server!.counters.received);
      expect(server!.counters.received).toBeGreaterThanOrEqual(4);
    } finally {
      await weir.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  it('ends lines that are refused for what they say', async () => {
    const [server] = await start(1);
    server!.configure({ poison: [{ contains: '"user":"banned"', fail_with: 403 }] });
    // Here and there, and all of the last ones.
    const isBanned = (index: number): boolean => index % 3 === 0 || index >= LINES - 8;
    const input = chatLines(LINES, (index) => ({ model: 'pool-0/m', ...(isBanned(index) && { user: 'banned' }) }));
    const ended = await waitForBatch(weir, (await submit(weir, input)).id);
    const banned = Array.from({ length: LINES }, (_, index) => index).filter(isBanned).length;
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES - banned, failed: banned });
    await assertInvariants(weir, ended.id, input);
  }, 60_000);
});
