import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../providers/contract.ts';
import { compileOwnPrice } from '../../src/core/own-price.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import type { GpuAccounts, LedgerAdjustment, LedgerEntryObject, LedgerFigures } from '../../src/protocol/ledger.ts';
import type { Page } from '../../src/protocol/page.ts';
import { type PriceCreated, type PriceObject, pricePageSchema } from '../../src/protocol/price.ts';
import { refreshPrices } from '../../src/services/prices/refresh.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

const list = {
  provider: 'openai',
  version: 'openai-1',
  currency: 'USD',
  source: 'a list',
  verified_on: '2026-09-01',
  models: {
    mini: {
      aliases: ['mini-latest'],
      prices: [
        { from: '2026-08-01', standard: { input: '2', output: '8' }, batch: { input: '1', output: '4' } },
        { from: '2026-09-01', standard: { input: '1', output: '4', web_search: '0.01' } },
      ],
    },
  },
};

/** Of a deployment `dep` whose model is `mini`. */
const provider = {
  name: 'azure-eu',
  kind: 'azure',
  priceProvider: 'openai',
  limits: { concurrency: null, requestsPerMinute: null, tokensPerMinute: null },
  pricedModel: (model: string) => (model === 'dep' ? 'mini' : model),
} as unknown as Provider;

/** The harness's clock stands at 2026-09-21T14:13:20Z. */
const NOW = 1_790_000_000;
const DAY = 86_400;

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness({
    prices: new Map(compilePrices([list])),
    priceFiles: [list],
    providers: new Map([['azure-eu', provider]]),
  });
});
afterEach(() => harness.close());

async function ask<T>(path: string): Promise<T> {
  const answer = await harness.send('GET', path);
  expect(answer.status, path).toBe(200);
  return (await answer.json()) as T;
}

function state(change: object) {
  const json = {
    provider: 'openai',
    model: 'new',
    from: '2026-09-01',
    standard: { input: '3', output: '6' },
    ...change,
  };
  return harness.send('POST', '/v1/prices', { json });
}

async function stated(change: object): Promise<PriceCreated> {
  const answer = await state(change);
  expect(answer.status).toBe(200);
  return (await answer.json()) as PriceCreated;
}

describe('/v1/prices', () => {
  it('lists prices with their source and the days on which they hold', async () => {
    const page = pricePageSchema.parse(await ask('/v1/prices'));
    expect(page.data).toMatchObject([
      { from: '2026-08-01', until: '2026-09-01', in_effect: false, batch: { input: '1', output: '4' } },
      {
        ...{ from: '2026-09-01', until: null, in_effect: true, origin: 'list', source: 'a list', version: 'openai-1' },
        ...{ aliases: ['mini-latest'], batch: null, standard: { input: '1', output: '4', web_search: '0.01' } },
      },
    ]);
    const now = await ask<Page<PriceObject>>('/v1/prices?model=MINI-latest&at=2026-09-21');
    expect(now.data.map((price) => price.from)).toEqual(['2026-09-01']);
    expect((await ask<Page<PriceObject>>('/v1/prices?at=2026-08-31T12:00:00Z')).data[0]?.from).toBe('2026-08-01');
    const first = await ask<Page<PriceObject>>('/v1/prices?limit=1');
    expect(first.has_more).toBe(true);
    const second = await ask<Page<PriceObject>>(`/v1/prices?limit=1&after=${encodeURIComponent(first.last_id ?? '')}`);
    expect([second.data[0]?.from, second.has_more]).toEqual(['2026-09-01', false]);
    expect((await harness.send('GET', '/v1/prices?after=nowhere')).status).toBe(404);
  });

  it('tells which price a deployment gets, and why', async () => {
    expect(await ask('/v1/prices/resolve?provider=azure-eu&model=dep')).toMatchObject({
      ...{ priced_model: 'mini', resolved_by: 'deployment', price_version: 'openai-1', unpriced_reason: null },
      rates: { from: '2026-09-01', input: 1_000_000_000 },
    });
    expect(await ask('/v1/prices/resolve?provider=azure-eu&model=mini-2026-01-01&mode=batch')).toMatchObject({
      rates: null,
      unpriced_reason: 'no_batch_price: openai/mini-2026-01-01',
    });
    expect((await harness.send('GET', '/v1/prices/resolve?provider=no&model=m')).status).toBe(400);
  });

  it('takes a successor from tomorrow on and never rewrites what held', async () => {
    const refused = await state({ model: 'mini', from: '2026-09-21' });
    expect(refused.status).toBe(409);
    expect(await errorOf(refused)).toMatchObject({
      code: 'price_in_effect',
      param: 'from',
      message: expect.stringMatching(/openai-1, from 2026-09-01.*2026-09-22 or later/),
    });
    const successor = { model: 'mini', from: '2026-09-22', source: 'our contract' };
    expect(await stated({ ...successor, dry_run: true })).toMatchObject({ dry_run: true, replaces: 'openai-1' });
    expect((await ask<Page<PriceObject>>('/v1/prices?origin=stated')).data).toEqual([]);
    const price = await stated(successor);
    expect(price).toMatchObject({ origin: 'stated', source: 'our contract', from: '2026-09-22', warnings: [] });
    const shown = await ask<Page<PriceObject>>('/v1/prices?model=mini');
    expect(shown.data.map(({ from, until }) => `${from}/${until}`)).toEqual([
      ...['2026-08-01/2026-09-01', '2026-09-01/2026-09-22', '2026-09-22/null'],
    ]);
    expect(await errorOf(await state(successor))).toMatchObject({ code: 'price_exists' });
    // Another process finds it in the database.
    const other = { ...harness.deps, prices: new Map(compilePrices([list])) };
    await refreshPrices(other);
    expect(other.prices.get('openai')?.get('mini')?.rows[0]?.version).toBe(price.id);
    const withdrawn = await harness.send('DELETE', `/v1/prices/${price.id}`);
    expect(await withdrawn.json()).toEqual({ id: price.id, object: 'price', deleted: true });
    expect((await ask<Page<PriceObject>>('/v1/prices?model=mini')).data.at(-1)?.until).toBeNull();
  });

  it('may begin in the past where no price held, and then stays', async () => {
    const price = await stated({});
    expect(price.replaces).toBeNull();
    expect((await harness.send('DELETE', `/v1/prices/${price.id}`)).status).toBe(409);
    expect(await errorOf(await state({ from: '2026-08-01' }))).toMatchObject({ code: 'price_in_effect' });
  });

  it('shows the rate by which another currency became dollars, and warns of modes that lose their price', async () => {
    const euros = { currency: 'EUR', usd_rate: '1.1', usd_rate_on: '2026-09-20' };
    expect(await stated(euros)).toMatchObject({ ...euros, standard: { input: '3.3', output: '6.6' } });
    const batch = { input: '1', output: '1' };
    await stated({ model: 'both', batch });
    const { warnings } = await stated({ model: 'both', from: '2026-10-01' });
    expect(warnings).toEqual([expect.stringContaining('served as batch will be unpriced')]);
  });

  it('refuses what it cannot take and names the field', async () => {
    const cases: [object, string][] = [
      [{ standard: { input: 3, output: '6' } }, 'standard.input'],
      [{ standard: { input: '3', output: '6', outptu: '1' } }, 'standard.outptu'],
      [{ from: 'soon' }, 'from'],
      [{ price: 1 }, 'price'],
      [{ standard: { input: '3', output: '6', web_search: '12' } }, 'standard.web_search'],
    ];
    for (const [change, param] of cases) {
      const answer = await state(change);
      expect(answer.status, param).toBe(400);
      expect((await errorOf(answer)).param).toBe(param);
    }
    const { secret } = await harness.makeKey();
    const body = { provider: 'openai', model: 'new', from: '2026-09-01', standard: { input: '3', output: '6' } };
    const answer = await harness.send('POST', '/v1/prices', { key: secret, json: body });
    expect(answer.status).toBe(403);
  });
});

function entry(change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  return {
    ...{
      createdAt: NOW - 3 * DAY,
      tenantId: 'default',
      keyId: null,
      batchId: null,
      customId: 'r',
      line: 1,
      attempt: 1,
    },
    ...{ mode: 'immediate', provider: 'azure-eu', target: 'azure-eu/new', model: 'new', servedModel: null },
    ...{ status: 'succeeded', final: true, statusCode: 200, errorCode: null, rawUsage: null, cachedInputTokens: 0 },
    ...{ usage: { input_tokens: 1_000, output_tokens: 100 }, inputTokens: 1_000, outputTokens: 100 },
    ...{ rates: null, priceVersion: null, amountNano: null, listAmountNano: null, estimated: false },
    ...{ unpricedReason: 'no_price: openai/new', tags: { team: 'ads' }, latencyMs: 1 },
    ...change,
  };
}

describe('POST /v1/ledger/adjustments', () => {
  const adjust = async (json: object): Promise<LedgerAdjustment> => {
    const answer = await harness.send('POST', '/v1/ledger/adjustments', {
      json: { reason: 'price came late', ...json },
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as LedgerAdjustment;
  };
  const figures = async (query: string) =>
    (await ask<{ total: LedgerFigures }>(`/v1/ledger/summary?group_by=batch${query}`)).total;
  const entries = () => ask<Page<LedgerEntryObject>>('/v1/ledger/entries?order=asc&limit=100');

  it('prices past entries by reversals and corrections, leaves what was written, and says so first in a dry run', async () => {
    await harness.deps.store.ledger.append([
      entry({ batchId: 'batch_1', line: 1 }),
      entry({
        batchId: 'batch_1',
        line: 1,
        attempt: 2,
        usage: { input_tokens: 10, output_tokens: 1 },
        inputTokens: 10,
      }),
      entry({
        customId: null,
        line: null,
        status: 'failed',
        statusCode: 500,
        usage: null,
        inputTokens: 0,
        outputTokens: 0,
      }),
      entry({ batchId: 'batch_1', line: 2, model: 'unheard', unpricedReason: 'no_price: openai/unheard' }),
      entry({ batchId: 'batch_1', line: 3, status: 'unknown', usage: null, unpricedReason: 'no_answer' }),
    ]);
    const before = await entries();
    await stated({});
    const planned = { examined: 5, adjusted: 3, still_unpriced: 2, unchanged: 0, before_nano_usd: 0, has_more: false };
    // 1,000 x 3 + 100 x 6, and 10 x 3 + 1 x 6 (output tokens as the entry's usage says); the failure cost nothing.
    const sum = 3_600_000 + 36_000;
    expect(await adjust({})).toMatchObject({ ...planned, dry_run: true, after_nano_usd: sum });
    expect(await entries()).toEqual(before);

    expect(await adjust({ dry_run: false })).toMatchObject({
      ...{ ...planned, dry_run: false, after_nano_usd: sum, difference_usd: '0.003636' },
      data: [{ provider: 'azure-eu', model: 'new', entries: 3, after_usd: '0.003636' }],
    });
    const after = await entries();
    expect(after.data.slice(0, 5)).toEqual(before.data);
    expect(
      after.data
        .slice(5)
        .map(({ kind }) => kind)
        .toSorted(),
    ).toEqual([...['correction', 'correction', 'correction', 'reversal', 'reversal', 'reversal']]);
    const first = after.data.filter(({ adjusts }) => adjusts === 'entry_batch_1_1_1');
    expect(first).toMatchObject([
      { kind: 'reversal', amount_nano_usd: null, note: 'price came late', created_at: NOW },
      { kind: 'correction', amount_nano_usd: 3_600_000, rates: { resolved_by: 'model', from: '2026-09-01' } },
    ]);
    expect(new Set(after.data.map(({ id }) => id)).size).toBe(11);
    expect((await harness.send('GET', `/v1/ledger/entries?after=${first[1]?.id}`)).status).toBe(200);

    // All in all an adjusted entry counts once, with its new amount; on the day of the adjustment alone the change is told.
    const all = { entries: 5, requests: 5, amount_nano_usd: sum, unpriced_entries: 2 };
    expect(await figures('')).toMatchObject(all);
    expect(await figures('&tag=team:ads')).toMatchObject(all);
    expect(await figures(`&from=${NOW - 3 * DAY - 1}&to=${NOW + 1}`)).toMatchObject(all);
    expect(await figures(`&from=${NOW}`)).toMatchObject({ entries: 0, amount_nano_usd: sum, unpriced_entries: -3 });
    expect(await figures(`&to=${NOW}`)).toMatchObject({ entries: 5, amount_nano_usd: 0, unpriced_entries: 5 });
    // A second run has nothing more to do.
    expect(await adjust({ dry_run: false })).toMatchObject({ examined: 2, adjusted: 0 });
  });

  it('prices again what was priced, on request, as often as prices change, and keeps the sums of batches', async () => {
    await harness.deps.store.ledger.append([entry({ amountNano: 5, listAmountNano: 7, unpricedReason: null })]);
    await stated({});
    expect(await adjust({ dry_run: false })).toMatchObject({ examined: 0 });
    const change = { before_nano_usd: 5, after_nano_usd: 3_600_000 };
    expect(await adjust({ dry_run: false, only: 'all' })).toMatchObject({ examined: 1, adjusted: 1, ...change });
    expect(await adjust({ dry_run: false, only: 'all' })).toMatchObject({ examined: 1, adjusted: 0, unchanged: 1 });
    await stated({ from: '2026-10-01', standard: { input: '1', output: '1' } });
    const later = await adjust({ dry_run: false, only: 'all', prices_at: '2026-10-02' });
    expect(later).toMatchObject({ adjusted: 1, before_nano_usd: 3_600_000, after_nano_usd: 1_100_000 });
    expect(await figures('')).toMatchObject({ entries: 1, amount_nano_usd: 1_100_000, savings_nano_usd: 0 });
    expect((await entries()).data).toHaveLength(5);
  });

  it('is for administrators, needs a reason and knows its fields', async () => {
    const { secret } = await harness.makeKey();
    const refused = await harness.send('POST', '/v1/ledger/adjustments', { key: secret, json: { reason: 'mine' } });
    expect(refused.status).toBe(403);
    for (const json of [{}, { reason: 'x', amount: 1 }]) {
      expect((await harness.send('POST', '/v1/ledger/adjustments', { json })).status).toBe(400);
    }
  });
});

describe('GET /v1/ledger/gpus', () => {
  it('tells the working time and the whole time of pools that are paid by the hour', async () => {
    const pools = await openHarness({
      ownPrices: new Map([
        ['pool', compileOwnPrice({ gpu_hour: 3.6, gpus: 2 })],
        ['free', compileOwnPrice({ gpu_hour: 0 })],
        ['by-token', compileOwnPrice({ input: 1, output: 1 })],
      ]),
    });
    const busy = {
      usage: { gpu_microseconds: 1_800_000_000 },
      amountNano: 3_600_000_000,
      listAmountNano: 3_600_000_000,
    };
    await pools.deps.store.ledger.append([
      entry({ createdAt: NOW - 60, provider: 'pool', unpricedReason: null, ...busy }),
    ]);
    const answer = await pools.send('GET', `/v1/ledger/gpus?from=${NOW - 3_600}&to=${NOW}`);
    const { data } = (await answer.json()) as GpuAccounts;
    // Two GPUs at 3.60 an hour are 0.002 a second: half an hour of work in an hour that is paid whole.
    expect(data).toMatchObject([
      {
        ...{ provider: 'pool', reserved_seconds: 3_600, busy_seconds: 1_800, occupancy: 0.5, tokens: 1_100 },
        ...{ marginal_usd: '3.6', amortised_usd: '7.2', idle_usd: '3.6' },
        amortised_usd_per_million_tokens: '6545.454545454',
      },
      { provider: 'free', amortised_nano_usd: 0, marginal_usd_per_million_tokens: null },
    ]);
    expect((await pools.send('GET', `/v1/ledger/gpus?from=${NOW}&to=${NOW}`)).status).toBe(400);
    const { secret } = await pools.makeKey();
    expect((await pools.send('GET', '/v1/ledger/gpus', { key: secret })).status).toBe(403);
    await pools.close();
  });
});
