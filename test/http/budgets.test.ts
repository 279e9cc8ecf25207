import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BudgetObject, budgetPageSchema, budgetSchema } from '../../src/protocol/budget.ts';
import { BatchRunner } from '../../src/services/batches/run.ts';
import { CallBudgets } from '../../src/services/budgets/call-budgets.ts';
import { tick } from '../../src/services/tick.ts';
import { entryRow } from '../contract/store/subject.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const NOON = Date.parse('2026-11-27T12:00:00Z');

async function create(json: object): Promise<BudgetObject> {
  const answer = await harness.send('POST', '/v1/budgets', { json });
  expect(answer.status).toBe(200);
  return budgetSchema.parse(await answer.json());
}

async function retrieve(id: string): Promise<BudgetObject> {
  return budgetSchema.parse(await (await harness.send('GET', `/v1/budgets/${id}`)).json());
}

describe('/v1/budgets', () => {
  it('makes a budget with what is usual where nothing is said, and tells its usage', async () => {
    harness.time.nowMs = NOON;
    const budget = await create({ tenant_id: 'acme', limit_usd: '12.5', period: 'month' });
    expect(budget).toMatchObject({
      object: 'budget',
      name: 'tenant acme, each month',
      tenant_id: 'acme',
      key_id: null,
      tag: null,
      route: null,
      limit_nano_usd: 12_500_000_000,
      limit_usd: '12.5',
      timezone: 'UTC',
      on_insufficient: 'reject',
      unpriced: 'refuse',
      alert_thresholds: [50, 80, 100],
    });
    expect(budget.usage).toEqual({
      period_starts_at: Date.parse('2026-11-01') / 1000,
      period_ends_at: Date.parse('2026-12-01') / 1000,
      spent_nano_usd: 0,
      spent_usd: '0',
      held_nano_usd: 0,
      held_usd: '0',
      left_nano_usd: 12_500_000_000,
      left_usd: '12.5',
      alerts: [],
    });
    expect(await retrieve(budget.id)).toEqual(budget);
  });

  it('begins its days in its time zone, and each day anew', async () => {
    harness.time.nowMs = NOON;
    const { id, usage } = await create({ limit_usd: 1, period: 'day', timezone: 'Asia/Kolkata', name: 'all of us' });
    expect(usage.period_starts_at).toBe(Date.parse('2026-11-26T18:30:00Z') / 1000);
    await harness.deps.store.ledger.append([entryRow({ createdAt: NOON / 1000, amountNano: 2_000_000_000 })]);
    expect((await retrieve(id)).usage).toMatchObject({ spent_usd: '2', left_usd: '-1' });
    harness.time.nowMs = NOON + 12 * 3_600_000;
    expect((await retrieve(id)).usage).toMatchObject({ spent_usd: '0', left_usd: '1' });
    // Days later, after a time without any server.
    harness.time.nowMs = NOON + 40 * 86_400_000;
    const batches = new BatchRunner(harness.deps);
    await tick(harness.deps, batches);
    expect((await retrieve(id)).usage.period_starts_at).toBe(Date.parse('2027-01-05T18:30:00Z') / 1000);
  });

  it('hold batches and calls to a day that nobody was there to begin', async () => {
    harness.time.nowMs = NOON;
    await create({ limit_usd: '0', period: 'day', on_insufficient: 'stop' });
    harness.time.nowMs = NOON + 5 * 86_400_000;
    const body = new FormData();
    const line = { custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { model: 'm', messages: [] } };
    body.append('purpose', 'batch');
    body.append('file', new Blob([JSON.stringify(line)]), 'input.jsonl');
    const file = (await (await harness.send('POST', '/v1/files', { body })).json()) as { id: string };
    const json = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' };
    const batch = await harness.send('POST', '/v1/batches', { json });
    expect([batch.status, (await errorOf(batch)).code]).toEqual([429, 'insufficient_quota']);

    harness.time.nowMs += 5 * 86_400_000;
    const calls = new CallBudgets(harness.deps);
    const spender = { tenantId: 'default', keyId: null, tags: null, routes: [] };
    const request = { customId: 'a', endpoint: '/v1/chat/completions' as const, body: line.body };
    const held = Promise.resolve(calls.hold({ spender, request, bytes: 100, candidates: [] }));
    await expect(held).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
  });

  it('holds for a call as long as it may take with all its tries', async () => {
    await create({ limit_usd: '1', period: 'day' });
    const holdCalls = vi.spyOn(harness.deps.store.budgets, 'holdCalls');
    const spender = { tenantId: 'default', keyId: null, tags: null, routes: [] };
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }] };
    const request = { customId: 'a', endpoint: '/v1/chat/completions' as const, body };
    const retry = { attempts: 3, onStatusCodes: [500], useRetryAfter: false };
    const params = { defaults: {}, overrides: {}, drops: [] };
    const target = { provider: 'none', model: 'm', mode: 'auto', weight: 1, retry, params, enterOn: 'any' } as const;
    const candidates = [
      { ...target, requestTimeoutMs: 600_000 },
      { ...target, requestTimeoutMs: 10_000 },
    ];
    await new CallBudgets(harness.deps).hold({ spender, request, bytes: 100, candidates });
    const [ask] = holdCalls.mock.calls[0]?.[0] ?? [];
    expect(ask?.expiresAt).toBeGreaterThan(harness.time.nowMs / 1_000 + 4 * 600 + 4 * 10);
  });

  it('counts in total from the moment that is named', async () => {
    harness.time.nowMs = NOON;
    const at = NOON / 1000;
    await harness.deps.store.ledger.append([entryRow({ createdAt: at - 100, amountNano: 7 })]);
    const since = await create({ limit_nano_usd: 10, period: 'total', starts_at: at - 100 });
    const now = await create({ limit_nano_usd: 10, period: 'total' });
    expect(since.usage).toMatchObject({ spent_nano_usd: 7, period_ends_at: null });
    expect(now.usage).toMatchObject({ spent_nano_usd: 0, period_starts_at: at });
  });

  it('changes limit and rules, but not what is counted', async () => {
    const { id } = await create({ limit_usd: '1', period: 'day' });
    const change = { limit_nano_usd: 5, on_insufficient: 'stop', unpriced: 'allow', alert_thresholds: [90, 10, 90] };
    const changed = await harness.send('POST', `/v1/budgets/${id}`, { json: { ...change, name: 'less' } });
    expect(await changed.json()).toMatchObject({
      ...change,
      alert_thresholds: [10, 90],
      name: 'less',
      limit_usd: '0.000000005',
    });
    const scope = await harness.send('POST', `/v1/budgets/${id}`, { json: { tenant_id: 'other' } });
    expect(scope.status).toBe(400);
    expect((await errorOf(scope)).message).toContain('tenant_id');
    expect((await harness.send('POST', '/v1/budgets/budget_none', { json: {} })).status).toBe(404);
  });

  it('lists pages, and removes', async () => {
    const ids = [];
    for (const name of ['a', 'b', 'c']) ids.unshift((await create({ name, limit_usd: '1', period: 'day' })).id);
    const page = async (query: string) =>
      budgetPageSchema.parse(await (await harness.send('GET', `/v1/budgets${query}`)).json());
    const first = await page('?limit=2');
    expect(first).toMatchObject({ has_more: true, last_id: ids[1] });
    expect((await page(`?after=${first.last_id}`)).data.map(({ id }) => id)).toEqual([ids[2]]);
    const removed = await harness.send('DELETE', `/v1/budgets/${ids[0]}`);
    expect(await removed.json()).toEqual({ id: ids[0], object: 'budget', deleted: true });
    expect((await harness.send('DELETE', `/v1/budgets/${ids[0]}`)).status).toBe(404);
    expect((await harness.send('GET', `/v1/budgets/${ids[0]}`)).status).toBe(404);
    expect((await harness.send('GET', `/v1/budgets?after=${ids[0]}`)).status).toBe(404);
    expect((await page('')).data).toHaveLength(2);
  });

  it('refuses what cannot be, by name', async () => {
    const cases: [json: object, param: string][] = [
      [{ period: 'day' }, 'limit_usd'],
      [{ limit_usd: '1', limit_nano_usd: 1, period: 'day' }, 'limit_usd'],
      [{ limit_usd: '1e3', period: 'day' }, 'limit_usd'],
      [{ limit_usd: '0.0000000001', period: 'day' }, 'limit_usd'],
      [{ limit_usd: '-1', period: 'day' }, 'limit_usd'],
      [{ limit_usd: '99999999', period: 'day' }, 'limit_usd'],
      [{ limit_nano_usd: 0.5, period: 'day' }, 'limit_nano_usd'],
      [{ limit_usd: '1', period: 'year' }, 'period'],
      [{ limit_usd: '1', period: 'day', timezone: 'Mars/Olympus' }, 'timezone'],
      [{ limit_usd: '1', period: 'day', starts_at: 1 }, 'starts_at'],
      [{ limit_usd: '1', period: 'total', starts_at: 9_999_999_999 }, 'starts_at'],
      [{ limit_usd: '1', period: 'day', key_id: 'key_none' }, 'key_id'],
      [{ limit_usd: '1', period: 'day', route: 'inline' }, 'route'],
      [{ limit_usd: '1', period: 'day', tag: { key: 'a' } }, 'tag.value'],
      [{ limit_usd: '1', period: 'day', alert_thresholds: [0] }, 'alert_thresholds'],
      [{ limit_usd: '1', period: 'day', tenant: 'acme' }, 'tenant'],
    ];
    for (const [json, param] of cases) {
      const answer = await harness.send('POST', '/v1/budgets', { json });
      expect(answer.status, JSON.stringify(json)).toBe(400);
      expect((await errorOf(answer)).message).toContain(param);
    }
    expect(await harness.deps.store.budgets.all()).toEqual([]);
  });

  it('is for administrators alone', async () => {
    const { id } = await create({ limit_usd: '1', period: 'day' });
    const { secret: key } = await harness.makeKey();
    const tries = [
      harness.send('POST', '/v1/budgets', { key, json: { limit_usd: '9', period: 'day' } }),
      harness.send('GET', '/v1/budgets', { key }),
      harness.send('GET', `/v1/budgets/${id}`, { key }),
      harness.send('POST', `/v1/budgets/${id}`, { key, json: { limit_usd: '9' } }),
      harness.send('DELETE', `/v1/budgets/${id}`, { key }),
    ];
    for (const answer of await Promise.all(tries)) expect(answer.status).toBe(403);
    expect((await retrieve(id)).limit_usd).toBe('1');
  });

  it('makes a budget once under an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'once' };
    const json = { limit_usd: '1', period: 'day' };
    const [first, again] = [
      await (await harness.send('POST', '/v1/budgets', { json, headers })).json(),
      await (await harness.send('POST', '/v1/budgets', { json, headers })).json(),
    ];
    expect(again).toEqual(first);
    expect(await harness.deps.store.budgets.all()).toHaveLength(1);
  });
});
