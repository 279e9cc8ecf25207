import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';

import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import { seededRandom } from '../../providers/sandbox/servers/random.ts';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import { type DatabaseServer, hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { type Receiver, startReceiver } from '../services/webhook-receiver.ts';
import { assertInvariants, type Books } from './invariants.ts';
import {
  chatLines,
  connect,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'] };
/** USD per million tokens, so high that a line costs about two cents. */
const PRICE = { input: 100, output: 400 };
const USD = 1_000_000_000;
/** Of the run in which servers are killed at random moments, so many times. */
const KILL_SEED = 1;
const KILLS = 4;

describe('budgets', () => {
  let pools: Pools | undefined;
  let running: (Weir | WeirProcess)[] = [];
  let folder: string | undefined;
  let remote: SimulatedBatchServer | undefined;
  let database: DatabaseServer | undefined;
  let receiver: Receiver | undefined;

  afterEach(async () => {
    await Promise.all(running.map((weir) => ('stop' in weir ? weir.stop() : weir.kill())));
    running = [];
    await Promise.all([pools?.stop(), remote?.stop(), database?.stop(), receiver?.close()]);
    pools = undefined;
    remote = undefined;
    database = undefined;
    receiver = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    folder = undefined;
  });

  async function open(
    servers: Parameters<typeof startPools>[0],
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<Record<string, unknown>> {
    pools = await startPools(servers);
    const urls = pools.servers.map((server) => server.baseUrl);
    return splitConfig(urls, [40, 30, 30].slice(0, urls.length), { price: PRICE, ...extra });
  }

  async function start(config: object): Promise<Weir> {
    const weir = await startWeir(config);
    running.push(weir);
    return weir;
  }

  /** A process of its own, so that it can be killed. */
  async function spawn(config: object, env: Record<string, string> = {}): Promise<WeirProcess> {
    folder ??= await temporaryFolder();
    await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
    const weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'), { env });
    running.push(weir);
    return weir;
  }

  const post = <T = BudgetObject>(weir: Pick<Weir, 'call'>, path: string, body: object): Promise<T> =>
    weir.call<T>(path, { method: 'POST', body: JSON.stringify(body) });

  const budgetOf = (weir: Pick<Weir, 'call'>, { id }: { id: string }): Promise<BudgetObject> =>
    weir.call<BudgetObject>(`/v1/budgets/${id}`);

  const dollar = (weir: Pick<Weir, 'call'>, scope: object = { tenant_id: 'default' }): Promise<BudgetObject> =>
    post(weir, '/v1/budgets', { ...scope, limit_usd: '1', period: 'month', on_insufficient: 'stop' });

  const ask = (weir: Pick<Weir, 'client'>, model = 'split') =>
    weir.client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 8 });

  /** The batch was stopped at a dollar and at most `more` lines; the budget says what the ledger says. */
  function expectStopped({ batch, errors, entries }: Books, { usage }: BudgetObject, more: number): void {
    expect(batch.status).toBe('cancelled');
    expect(batch.errors?.data[0]?.code).toBe('budget_exceeded');
    expect(errors.every(({ error, response }) => error?.code === 'budget_exceeded' && response === null)).toBe(true);
    const dearest = Math.max(...entries.map((entry) => entry.amount_nano_usd ?? 0));
    expect(batch.cost.amount_nano_usd).toBeGreaterThanOrEqual(USD);
    expect(batch.cost.amount_nano_usd).toBeLessThanOrEqual(USD + more * dearest);
    expect(usage.spent_nano_usd).toBe(batch.cost.amount_nano_usd);
    expect(usage.held_nano_usd).toBe(0);
  }

  it('of a dollar stop a batch of ten at a dollar and what was in flight, under faults', async () => {
    const faults = { ...MODEL, rate_429: 0.08, rate_500: 0.05, rate_reset: 0.02, latency_ms: { min: 5, max: 25 } };
    const limits = { limits: { concurrency: 8 }, settings: { part_delay_ms: 20 } };
    const weir = await start(await open([faults, { ...faults, seed: 2 }, { ...faults, seed: 3 }], limits));
    const budget = await dollar(weir);
    const input = chatLines(520);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, { seconds: 60 });
    const books = await assertInvariants(weir, id, input);
    const spent = await budgetOf(weir, budget);
    expectStopped(books, spent, 1);
    expect(books.output.length).toBeGreaterThan(20);
    const told = async () => (await budgetOf(weir, budget)).usage.alerts.map(({ threshold }) => threshold);
    await expect.poll(told, { timeout: 10_000 }).toEqual([50, 80, 100]);

    // Nothing is left: another batch is refused, and so is a call.
    const refused = await submit(weir, chatLines(1), { config: 'split' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    expect(refused).toMatchObject({ status: 429, code: 'insufficient_quota', type: 'insufficient_quota' });
    await expect(ask(weir)).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
    expect((await budgetOf(weir, budget)).usage.held_nano_usd).toBe(0);

    // With more, the lines that were left run.
    await post(weir, `/v1/budgets/${budget.id}`, { limit_usd: '100' });
    const retried = await post<{ id: string }>(weir, `/v1/batches/${id}/retry`, {});
    const ended = await waitForBatch(weir, retried.id, { seconds: 60 });
    expect(ended.status).toBe('completed');
    const left = books.errors.length;
    expect(ended.request_counts).toEqual({ total: left, completed: left, failed: 0 });
  }, 150_000);

  it('hold through kill -9: what is spent stays spent, and the batch stops at the dollar all the same', async () => {
    const limits = { limits: { concurrency: 8 }, settings: { part_delay_ms: 20, lease_seconds: 5 } };
    const config = await open([{ ...MODEL, rate_500: 0.03, latency_ms: { min: 10, max: 40 } }], limits);
    let weir = await spawn(config);
    const budget = await dollar(weir);
    const input = chatLines(520);
    const { id } = await submit(weir, input, { config: 'split' });
    for (const share of [0.2, 0.6]) {
      await waitForBatch(weir, id, {
        until: (batch) => (batch as unknown as Books['batch']).cost.amount_nano_usd > share * USD,
      });
      await weir.kill();
      weir = await spawn(config);
    }
    await waitForBatch(weir, id, { seconds: 60 });
    expectStopped(await assertInvariants(weir, id, input), await budgetOf(weir, budget), 1);
  }, 120_000);

  it.runIf(hasDatabaseServer())(
    'hold through kill -9 of any server at any moment, under every kind of failed answer',
    async () => {
      const seed = KILL_SEED;
      const random = seededRandom(seed);
      folder = await temporaryFolder();
      database = await startDatabaseServer(join(folder, 'database'));
      // Refused with and without a time to wait, cut off before the answer and after it was made, cut short, broken.
      const faults = {
        ...MODEL,
        rate_429: 0.06,
        rate_500: 0.03,
        rate_reset: 0.03,
        rate_reset_mid_body: 0.05,
        rate_bad_json: 0.05,
        bad_json: 'truncated' as const,
        latency_ms: { min: 5, max: 40 },
      };
      const config = await open(
        [
          { ...faults, seed, retry_after: 'seconds' },
          { ...faults, seed: seed + 1, retry_after: 'milliseconds', retry_after_seconds: 0.2 },
          { ...faults, seed: seed + 2 },
        ],
        {
          limits: { concurrency: 8 },
          settings: { part_delay_ms: 20, lease_seconds: 5, segment_lines: 20, max_open_segments: 4 },
          retry: { attempts: 5 },
        },
      );
      const env = { WEIR_DATABASE_URL: database.url };
      const servers = [await spawn(config, env), await spawn(config, env)];
      const anyone = (): number => Math.floor(random() * servers.length);
      const at = (index: number): WeirProcess => servers[index] as WeirProcess;
      const budget = await dollar(at(0));
      const input = chatLines(520);
      const { id } = await submit(at(1), input, { config: 'split' });
      const shares = Array.from({ length: KILLS }, random).sort();
      for (const share of shares) {
        await waitForBatch(at(anyone()), id, {
          until: (batch) => (batch as unknown as Books['batch']).cost.amount_nano_usd >= 0.97 * share * USD,
        });
        const victim = anyone();
        await at(victim).kill();
        servers[victim] = await spawn(config, env);
      }
      await waitForBatch(at(anyone()), id, { seconds: 90 });
      const books = await assertInvariants(at(anyone()), id, input);
      expectStopped(books, await budgetOf(at(anyone()), budget), servers.length);
      expect(books.entries.some(({ status }) => status === 'unknown')).toBe(true);
    },
    180_000,
  );

  it.runIf(hasDatabaseServer())(
    'are shared by two servers, which together stop at the dollar and what they had in flight',
    async () => {
      folder = await temporaryFolder();
      database = await startDatabaseServer(join(folder, 'database'));
      const limits = { limits: { concurrency: 8 }, settings: { segment_lines: 20, max_open_segments: 4 } };
      const config = await open([{ ...MODEL, latency_ms: { min: 5, max: 30 } }], limits);
      const env = { WEIR_DATABASE_URL: database.url };
      const first = await spawn(config, env);
      const second = await spawn(config, env);
      const budget = await dollar(first);
      const input = chatLines(520);
      const { id } = await submit(second, input, { config: 'split' });
      await waitForBatch(first, id, { seconds: 60 });
      expectStopped(await assertInvariants(second, id, input), await budgetOf(second, budget), 2);
      // The other one learns of a change within seconds.
      await expect(ask(second)).rejects.toMatchObject({ code: 'insufficient_quota' });
    },
    120_000,
  );

  it('make no provider batch that what is left does not allow, and stop when nothing more fits', async () => {
    remote = await startOpenAIBatchServer({ job_ms: 300 });
    const provider = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    const weir = await start({
      providers: { openai: { ...provider, price: PRICE } },
      routes: {
        native: {
          strategy: { mode: 'single' },
          targets: [{ provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' }],
        },
      },
      settings: { poll_seconds_min: 1, cancel_seconds: 2 },
    });
    const budget = await dollar(weir);
    const input = chatLines(160);
    const { id } = await submit(weir, input, { window: '24h', config: 'native' });
    await waitForBatch(weir, id, { seconds: 90 });
    const { batch, entries, errors } = await assertInvariants(weir, id, input);
    expect(batch.status).toBe('cancelled');
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every(({ error }) => error?.code === 'budget_exceeded')).toBe(true);
    // Estimated at the most that answers may be, so never above; and what came to less was used again.
    expect(batch.cost.amount_nano_usd).toBeLessThanOrEqual(USD);
    expect(batch.cost.amount_nano_usd).toBeGreaterThan(0.5 * USD);
    expect(remote.counters.lines_run).toBe(entries.length);
    expect((await budgetOf(weir, budget)).usage).toMatchObject({
      spent_nano_usd: batch.cost.amount_nano_usd,
      held_nano_usd: 0,
    });
  }, 120_000);

  it('hold what calls may come to, in every front door, and refuse what does not fit before it is sent', async () => {
    const config = await open([{ ...MODEL, latency_ms: 40 }]);
    receiver = await startReceiver();
    const settings = { autobatch_wait_ms: 150, autobatch_window_seconds: 1 };
    const weir = await start({ ...config, settings, webhooks: { allow_hosts: ['127.0.0.1'] } });
    const hook = { url: receiver.url, event_types: ['budget.alert'], name: 'ops' };
    await post(weir, '/v1/webhooks', hook);
    const key = await post<{ id: string; secret: string }>(weir, '/v1/keys', { name: 'k', tenant_id: 'acme' });
    const user = connect(weir.url, key.secret);
    const autobatch = new OpenAI({ apiKey: key.secret, baseURL: `${weir.url}/batching/v1`, maxRetries: 0 });
    // A call may come to 2 + 8 tokens of some hundred nano-dollars each: room for about ten at once.
    const budget = await post(weir, '/v1/budgets', { key_id: key.id, limit_usd: '0.05', period: 'day' });
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => ask(user)));
    const answered = outcomes.filter(({ status }) => status === 'fulfilled').length;
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(answered).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused)).toEqual(new Set(['insufficient_quota']));
    expect(pools?.servers[0]?.counters.received).toBe(answered);
    const after = await budgetOf(weir, budget);
    expect(after.usage.held_nano_usd).toBe(0);
    const { total } = await weir.call<{ total: { amount_nano_usd: number } }>(
      `/v1/ledger/summary?tenant_id=acme&key=${key.id}`,
    );
    expect(after.usage.spent_nano_usd).toBe(total.amount_nano_usd);
    expect(after.usage.spent_nano_usd).toBeLessThanOrEqual(after.limit_nano_usd);

    // Others are not bound by it, nor told of it.
    await ask(weir);
    const others = connect(weir.url, (await post<{ secret: string }>(weir, '/v1/keys', { name: 'o' })).secret);
    await expect(others.call('/v1/budgets')).rejects.toThrow(/403/);

    await post(weir, `/v1/budgets/${budget.id}`, { limit_nano_usd: 0 });
    const body = { model: 'split', messages: [{ role: 'user' as const, content: 'hi' }], max_tokens: 8 };
    await expect(autobatch.chat.completions.create(body)).rejects.toMatchObject({ code: 'insufficient_quota' });
    const message = await fetch(`${weir.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': key.secret, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, max_tokens: 8 }),
    });
    expect(message.status).toBe(429);
    // Each call would fit, but not the batch that is made of them.
    const spent = (await budgetOf(weir, budget)).usage.spent_nano_usd;
    await post(weir, `/v1/budgets/${budget.id}`, { limit_nano_usd: spent + 7_000_000 });
    const together = await Promise.allSettled([1, 2, 3].map(() => autobatch.chat.completions.create(body)));
    for (const each of together) expect(each).toMatchObject({ reason: { status: 429, code: 'insufficient_quota' } });
    expect(pools?.servers[0]?.counters.received).toBe(answered + 1);

    await post(weir, `/v1/budgets/${budget.id}`, { limit_usd: '1' });
    const text = (await autobatch.chat.completions.create(body)).choices[0]?.message.content;
    expect(text).not.toBe('');
    const stream = await user.client.chat.completions.create({ ...body, stream: true });
    for await (const _chunk of stream);
    await expect.poll(async () => (await budgetOf(weir, budget)).usage.held_nano_usd).toBe(0);
    const sums = await weir.call<{ total: { amount_nano_usd: number } }>(
      `/v1/ledger/summary?tenant_id=acme&key=${key.id}`,
    );
    expect((await budgetOf(weir, budget)).usage.spent_nano_usd).toBe(sums.total.amount_nano_usd);

    // Whoever made the budget is told of it.
    await post(weir, `/v1/budgets/${budget.id}`, { limit_nano_usd: sums.total.amount_nano_usd });
    await receiver.until(3);
    const told = receiver.received.map(({ body: event }) => JSON.parse(String(event)));
    expect(new Set(told.map(({ data }) => data.threshold))).toEqual(new Set([50, 80, 100]));
    expect(told[0]).toMatchObject({ type: 'budget.alert', data: { id: budget.id, period: 'day' } });
  }, 60_000);

  it('count by route and tag, and refuse targets whose price nobody knows unless they are told otherwise', async () => {
    const config = await open([MODEL]);
    const providers = config.providers as Record<string, object>;
    const unpriced = { kind: 'vllm', base_urls: [pools?.servers[0]?.baseUrl], models: ['free'] };
    const weir = await start({ ...config, providers: { ...providers, unpriced } });
    const byRoute = await post(weir, '/v1/budgets', { route: 'split', limit_usd: '5', period: 'total' });
    const byTag = await post(weir, '/v1/budgets', {
      tag: { key: 'team', value: 'search' },
      limit_usd: '5',
      period: 'week',
      timezone: 'Asia/Kolkata',
    });
    const input = chatLines(10);
    // By the batch's route, by the model of its lines, and past the route.
    const runs = [
      await submit(weir, input, { config: 'split', metadata: { team: 'search' } }),
      await submit(
        weir,
        chatLines(10, () => ({ model: 'split' })),
      ),
      await submit(weir, input, { metadata: { team: 'ads' } }),
    ];
    const costs = [];
    for (const { id } of runs) {
      await waitForBatch(weir, id);
      costs.push((await assertInvariants(weir, id, input)).batch.cost.amount_nano_usd);
    }
    await ask(weir);
    const { total } = await weir.call<{ total: { amount_nano_usd: number } }>('/v1/ledger/summary');
    expect((await budgetOf(weir, byTag)).usage.spent_nano_usd).toBe(costs[0]);
    const spent = (await budgetOf(weir, byRoute)).usage.spent_nano_usd;
    expect(spent).toBe(total.amount_nano_usd - (costs[2] ?? 0));

    // Whatever adjusts the ledger moves it, too.
    await post(weir, '/v1/budgets', { tenant_id: 'default', limit_usd: '500', period: 'month', name: 'strict' });
    const free = chatLines(3, () => ({ model: 'unpriced/free' }));
    await expect(submit(weir, free)).rejects.toMatchObject({ status: 400, code: 'budget_unpriced' });
    await expect(ask(weir, 'unpriced/free')).rejects.toMatchObject({ status: 400, code: 'budget_unpriced' });
    const { data } = await weir.call<{ data: BudgetObject[] }>('/v1/budgets');
    await post(weir, `/v1/budgets/${data[0]?.id}`, { unpriced: 'allow' });
    expect((await ask(weir, 'unpriced/free')).choices).toHaveLength(1);
    const { id } = await submit(weir, free);
    expect((await waitForBatch(weir, id)).status).toBe('completed');
  }, 60_000);
});
