import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { post, upload } from './answers.ts';
import { assertInvariants, type Books } from './invariants.ts';
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

const PRICE = { input: 0.15, output: 0.6 };

describe('batches over routes and endpoints', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string;
  let config: object;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** One provider per server, `p0`, `p1`, …, each with the model `m`. */
  async function open(
    servers: Parameters<typeof startPools>[0],
    routes: object = {},
    provider: (index: number) => object = () => ({}),
  ): Promise<void> {
    pools = await startPools(servers.map((server) => ({ models: ['m'], log_size: 100, ...server })));
    const providers = pools.servers.map(({ baseUrl }, index) => [
      `p${index}`,
      {
        kind: 'vllm',
        base_urls: [baseUrl],
        models: ['m'],
        price: PRICE,
        limits: { concurrency: 16 },
        ...provider(index),
      },
    ]);
    config = { providers: Object.fromEntries(providers), routes };
    folder = await temporaryFolder();
    weir = await startWeir(config, { folder });
  }

  async function run(input: string, options: Parameters<typeof submit>[2] = {}): Promise<Books> {
    const { id } = await submit(weir, input, options);
    await waitForBatch(weir, id);
    return assertInvariants(weir, id, input);
  }

  const providersOf = (lines: readonly OutputLine[]) => lines.map((line) => line.weir.provider);
  const received = () => pools.servers.map((server) => server.counters.received);
  const when = (query: object, then: string) =>
    Object.fromEntries([
      ['query', query],
      ['then', then],
    ] as const);
  const target = (provider: string, more: object = {}) => ({ provider, model: 'm', ...more });

  it('conditional: by the line’s parameters and the batch’s metadata, each line to its own target', async () => {
    const route = {
      strategy: {
        mode: 'conditional',
        conditions: [
          when({ 'params.max_tokens': { $gt: 50 } }, 'long'),
          when({ $and: [{ 'params.user': { $regex: '^vip' } }, { 'metadata.team': { $eq: 'red' } }] }, 'vip'),
        ],
        default: 'rest',
      },
      targets: [target('p0', { name: 'long' }), target('p1', { name: 'vip' }), target('p2', { name: 'rest' })],
    };
    await open([{}, {}, {}], { choose: route });
    const bodies = [
      { max_tokens: 64 },
      { max_tokens: 8, user: 'vip-1' },
      { max_tokens: 8 },
      { max_tokens: 8, user: 'x' },
    ];
    const input = chatLines(40, (index) => ({ model: 'any', ...bodies[index % 4] }));
    const red = await run(input, { config: 'choose', metadata: { team: 'red' } });
    expect(providersOf(red.lines).slice(0, 4)).toEqual(['p0', 'p1', 'p2', 'p2']);
    expect(received()).toEqual([10, 10, 20]);
    const blue = await run(input, { config: 'choose', metadata: { team: 'blue' } });
    expect(providersOf(blue.lines).slice(0, 4)).toEqual(['p0', 'p2', 'p2', 'p2']);
  });

  it('fallback: lines go on to the next target when the first one fails, and both calls are in the ledger', async () => {
    const route = { strategy: { mode: 'fallback' }, targets: [target('p0'), target('p1')], retry: { attempts: 0 } };
    await open([{ poison: [{ contains: 'Question 4:', fail_with: 500 }] }, {}], { safe: route });
    const input = chatLines(10, () => ({ model: 'safe' }));
    const { lines, entries } = await run(input);
    expect(providersOf(lines)).toEqual(Array.from({ length: 10 }, (_, index) => (index === 4 ? 'p1' : 'p0')));
    const tries = entries.filter((entry) => entry.custom_id === 'request-4');
    expect(tries.map((entry) => [entry.provider, entry.status])).toEqual([
      ['p0', 'failed'],
      ['p1', 'succeeded'],
    ]);
    expect(lines[4]?.weir.attempts).toBe(2);
  });

  it('fallback on stated codes only: others are the line’s end', async () => {
    const route = {
      strategy: { mode: 'fallback', on_status_codes: [429] },
      targets: [target('p0'), target('p1')],
      retry: { attempts: 0 },
    };
    const poison = [
      { contains: 'Question 4:', fail_with: 500 as const },
      { contains: 'Question 5:', fail_with: 429 as const },
    ];
    await open([{ poison }, {}], { safe: route });
    const { errors, lines } = await run(chatLines(10), { config: 'safe' });
    expect(errors.map((line) => line.custom_id)).toEqual(['request-4']);
    expect(lines[5]?.weir.provider).toBe('p1');
    expect(received()).toEqual([10, 1]);
  });

  it('fallback from a target that is down: every line is done by the other', async () => {
    const route = { strategy: { mode: 'fallback' }, targets: [target('p0'), target('p1')] };
    await open([{}, {}], { safe: route });
    await pools.servers[0]?.crash();
    const { lines } = await run(chatLines(40), { config: 'safe' });
    expect(new Set(providersOf(lines))).toEqual(new Set(['p1']));
    expect(received()).toEqual([0, 40]);
  });

  it('a route within a route, written into the create: divided and then caught', async () => {
    await open([{}, { rate_500: 1 }, {}]);
    const config = {
      strategy: { mode: 'loadbalance' },
      retry: { attempts: 0 },
      targets: [
        target('p0', { weight: 50 }),
        { weight: 50, strategy: { mode: 'fallback' }, targets: [target('p1'), target('p2')] },
      ],
    };
    const { lines, batch } = await run(chatLines(20), { config });
    const counts = Map.groupBy(providersOf(lines), (name) => name);
    expect([counts.get('p0')?.length, counts.get('p2')?.length]).toEqual([10, 10]);
    expect(batch.config).toBe('inline');
  });

  it('overrides, defaults and drops: what the target gets', async () => {
    const rules = {
      override_params: { temperature: 0 },
      default_params: { top_p: 0.5, max_tokens: 9 },
      drop_params: ['user', 'messages[*].name'],
    };
    await open([{}], { ruled: { ...target('p0'), ...rules } });
    const messages = [{ role: 'user', content: 'Hi', name: 'Ann' }];
    await run(
      chatLines(1, () => ({ messages, temperature: 1, user: 'u' })),
      { config: 'ruled' },
    );
    const sent = JSON.parse(pools.servers[0]?.requests[0]?.body ?? '{}') as object;
    expect(sent).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'Hi' }],
      temperature: 0,
      top_p: 0.5,
      max_tokens: 64,
    });
  });

  it('by capacity: a pool ten times as fast does most of the lines', async () => {
    const route = { strategy: { mode: 'loadbalance', by: 'capacity' }, targets: [target('p0'), target('p1')] };
    const [concurrency, count] = [4, 200];
    await open([{ metrics: 'none' }, { metrics: 'none' }], { fast: route }, () => ({ limits: { concurrency } }));
    const [p0, p1] = pools.servers as [SimulatedServer, SimulatedServer];
    // The only slot of the second pool is taken; it lets its others through a tenth as often as the first answers.
    p1.configure({ slots: 1, fail_until: 1, fail_with: 'hang' });
    const taken = fetch(`${p1.baseUrl}/chat/completions`, { method: 'POST', body: '{"messages":[]}' }).catch(
      () => null,
    );
    await expect.poll(() => p1.counters.running).toBe(1);
    const openAtEnd = (): undefined => {
      if (p0.counters.received + p1.counters.received > count) p1.configure({ slots: null });
    };
    const letThrough = (): undefined => {
      if (p0.counters.received % (10 * concurrency) === 0) p1.configure({ slots: null });
      p1.configure({ slots: 1 });
      openAtEnd();
    };
    p0.configure({ answer: letThrough });
    p1.configure({ answer: openAtEnd });
    const { lines } = await run(chatLines(count), { config: 'fast' });
    const [fast, slow] = [p0.counters.received, p1.counters.received - 1];
    expect(fast + slow).toBe(count);
    expect(fast).toBeGreaterThan(slow * 3);
    expect(slow).toBeGreaterThan(concurrency);
    expect(providersOf(lines).filter((name) => name === 'p0')).toHaveLength(fast);
    await pools.stop();
    await taken;
  });

  it('by capacity, with one pool down: the other does everything', async () => {
    const route = { strategy: { mode: 'loadbalance', by: 'capacity' }, targets: [target('p0'), target('p1')] };
    await open([{}, {}], { fast: route });
    await pools.servers[1]?.crash();
    const { lines } = await run(chatLines(60), { config: 'fast' });
    expect(new Set(providersOf(lines))).toEqual(new Set(['p0']));
  });

  it('weights 70/20/10/0, stopped in the middle and started again: exact, and no line changes its target', async () => {
    const targets = [70, 20, 10, 0].map((weight, index) => target(`p${index}`, { weight }));
    await open([{ latency_ms: 10 }, { latency_ms: 10 }, { latency_ms: 10 }, {}], {
      split: { strategy: { mode: 'loadbalance' }, targets },
    });
    const input = chatLines(1000);
    const { lines: undisturbed } = await run(input, { config: 'split' });
    expect(received()).toEqual([700, 200, 100, 0]);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, { until: () => received().reduce((sum, count) => sum + count) > 1400 });
    await weir.stop();
    weir = await startWeir(config, { folder });
    await waitForBatch(weir, id);
    const { lines } = await assertInvariants(weir, id, input);
    expect(received()).toEqual([1400, 400, 200, 0]);
    expect(providersOf(lines)).toEqual(providersOf(undisturbed));
  });

  it('the route by header; one in the body comes before it', async () => {
    await open([{}, {}], { first: target('p0'), second: target('p1') });
    const file = await upload(weir, chatLines(3));
    const body = { input_file_id: file, endpoint: '/v1/chat/completions', completion_window: '24h' };
    for (const [change, headers, wanted] of [
      [{}, { 'x-weir-config': 'second' }, 'p1'],
      [{}, { 'x-portkey-config': JSON.stringify(target('p1')) }, 'p1'],
      [{ config: 'first' }, { 'x-weir-config': 'second' }, 'p0'],
    ] as const) {
      const { body: created } = await post(weir, '/v1/batches', { ...body, ...change }, headers);
      expect((await waitForBatch(weir, String(created.id))).status).toBe('completed');
      const { lines } = await assertInvariants(weir, String(created.id), chatLines(3));
      expect(providersOf(lines)).toEqual([wanted, wanted, wanted]);
    }
  });

  it.each<[string, object, (body: Record<string, unknown>) => unknown]>([
    ['/v1/embeddings', { input: ['a', 'b'] }, (body) => (body.data as unknown[]).length === 2],
    ['/v1/responses', { input: 'Hi' }, (body) => body.object === 'response'],
    ['/v1/completions', { prompt: 'Once' }, (body) => body.object === 'text_completion'],
    ['/v1/moderations', { input: 'Hi' }, (body) => (body.results as unknown[]).length === 1],
  ])('a batch of %s: done, and accounted for', async (url, body, isRight) => {
    await open([{}]);
    const input = Array.from({ length: 12 }, (_, index) =>
      JSON.stringify({ custom_id: `c${index}`, method: 'POST', url, body: { model: 'm', ...body } }),
    ).join('\n');
    const { output, batch, entries } = await run(input, { endpoint: url });
    expect(batch).toMatchObject({ status: 'completed', endpoint: url, model: 'm' });
    expect(output).toHaveLength(12);
    for (const line of output) expect(isRight(line.response?.body as Record<string, unknown>)).toBe(true);
    expect([...(pools.servers[0]?.counters.by_endpoint ?? [])]).toEqual([[url, 12]]);
    expect(entries).toHaveLength(12);
    if (url !== '/v1/moderations') expect(batch.cost.amount_nano_usd).toBeGreaterThan(0);
    expect(batch.usage?.input_tokens).toBe(entries.reduce((sum, entry) => sum + (entry.usage?.input_tokens ?? 0), 0));
  });

  it('a pool paid by the GPU hour: every line has its share, and the shares are the time the pool was busy', async () => {
    await open([{ latency_ms: { min: 5, max: 40 } }], {}, () => ({ price: { gpu_hour: 2.5, gpus: 1 } }));
    const began = performance.now();
    const { batch, entries, lines } = await run(chatLines(100, () => ({ model: 'm' })));
    const seconds = (performance.now() - began) / 1000;
    expect(entries.every((entry) => Number(entry.amount_nano_usd) > 0 && entry.estimated)).toBe(true);
    expect(lines.every((line) => Number(line.weir.cost_nano_usd) > 0)).toBe(true);
    expect(batch.cost.unpriced_entries).toBe(0);
    const busy = entries.reduce((sum, entry) => sum + (entry.usage?.gpu_microseconds ?? 0), 0) / 1e6;
    expect(busy).toBeGreaterThan((100 * 0.0225) / 16 / 2);
    expect(busy).toBeLessThan(seconds);
    const exact = (busy / 3600) * 2.5e9;
    expect(Math.abs(batch.cost.amount_nano_usd - exact)).toBeLessThan(exact * 0.001 + entries.length);
  });

  it('a pool without a price: the lines are done, counted and shown as unpriced, never as free', async () => {
    await open([{}], {}, () => ({ price: undefined }));
    const { batch, lines, entries } = await run(chatLines(5, () => ({ model: 'm' })));
    expect(batch.cost).toMatchObject({ amount_nano_usd: 0, unpriced_entries: 5 });
    expect(lines.every((line) => line.weir.cost_nano_usd === null)).toBe(true);
    expect(entries.every((entry) => entry.amount_usd === null && entry.unpriced_reason)).toBe(true);
  });
});
