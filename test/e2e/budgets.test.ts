import { rm } from 'node:fs/promises';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

/** Nano-USD of one answered line: the simulated server counts the same tokens for each. */
const MODEL = { models: ['gpt-4o-mini'] };
/** USD per million tokens, so high that a line costs about a cent. */
const PRICE = { input: 100, output: 400 };
const USD = 1_000_000_000;

describe('budgets', () => {
  let pools: Pools | undefined;
  let running: (Weir | WeirProcess)[] = [];
  let folder: string | undefined;

  afterEach(async () => {
    await Promise.all(running.map((weir) => ('stop' in weir ? weir.stop() : weir.kill())));
    running = [];
    await pools?.stop();
    pools = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    folder = undefined;
  });

  async function start(
    servers: Parameters<typeof startPools>[0],
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<Weir> {
    pools = await startPools(servers);
    const urls = pools.servers.map((server) => server.baseUrl);
    const weir = await startWeir(splitConfig(urls, [40, 30, 30].slice(0, urls.length), { price: PRICE, ...extra }));
    running.push(weir);
    return weir;
  }

  const post = <T = BudgetObject>(weir: Pick<Weir, 'call'>, path: string, body: object): Promise<T> =>
    weir.call<T>(path, { method: 'POST', body: JSON.stringify(body) });

  const budgetOf = (weir: Pick<Weir, 'call'>, { id }: { id: string }): Promise<BudgetObject> =>
    weir.call<BudgetObject>(`/v1/budgets/${id}`);

  it('of a dollar stop a batch of ten at a dollar and what was in flight, under faults', async () => {
    const faults = { ...MODEL, rate_429: 0.08, rate_500: 0.05, rate_reset: 0.02, latency_ms: { min: 5, max: 25 } };
    const weir = await start([faults, { ...faults, seed: 2 }, { ...faults, seed: 3 }], {
      limits: { concurrency: 8 },
      settings: { part_delay_ms: 20 },
    });
    const budget = await post(weir, '/v1/budgets', {
      tenant_id: 'default',
      limit_usd: '1',
      period: 'month',
      on_insufficient: 'stop',
    });
    const input = chatLines(1_500);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id, { seconds: 60 });
    const { batch, errors, output, entries } = await assertInvariants(weir, id, input);

    expect(batch.status).toBe('cancelled');
    expect(batch.errors?.data[0]?.code).toBe('budget_exceeded');
    const stopped = errors.filter(({ error }) => error?.code === 'budget_exceeded');
    expect(stopped.length).toBe(errors.length);
    expect(output.length).toBeGreaterThan(20);
    const spent = batch.cost.amount_nano_usd;
    const dearest = Math.max(...entries.map((entry) => entry.amount_nano_usd ?? 0));
    expect(spent).toBeGreaterThanOrEqual(USD);
    expect(spent).toBeLessThanOrEqual(USD + dearest);
    const { usage } = await budgetOf(weir, budget);
    expect(usage.spent_nano_usd).toBe(spent);
    expect(usage.held_nano_usd).toBe(0);
    expect(usage.alerts.map(({ threshold }) => threshold)).toEqual([50, 80, 100]);

    // Nothing is left: another batch is refused, and so is a call.
    const refused = await submit(weir, chatLines(1), { config: 'split' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    expect(refused).toMatchObject({ status: 429, code: 'insufficient_quota', type: 'insufficient_quota' });
    const call = weir.client.chat.completions.create({ model: 'split', messages: [{ role: 'user', content: 'hi' }] });
    await expect(call).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
    await expect.poll(async () => (await budgetOf(weir, budget)).usage.held_nano_usd).toBe(0);

    // With more, the lines that were left run.
    await post(weir, `/v1/budgets/${budget.id}`, { limit_usd: '100' });
    const retried = await post<{ id: string }>(weir, `/v1/batches/${id}/retry`, {});
    const ended = await waitForBatch(weir, retried.id, { seconds: 60 });
    expect(ended.status).toBe('completed');
    expect(ended.request_counts).toEqual({ total: stopped.length, completed: stopped.length, failed: 0 });
  }, 150_000);
});
