/** The ledger beside bills: a real database, and usage APIs over real HTTP. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountUsage } from '../../providers/sandbox/servers/usage-report-pages.ts';
import { startUsageReports, type UsageReports } from '../../providers/sandbox/servers/usage-reports.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import { type Reconciliations, reconciliationsSchema } from '../../src/protocol/reconciliation.ts';
import { batchRepricingSchema } from '../../src/protocol/repricing.ts';
import { readBill } from '../../src/runtime/cli/read-bill.ts';
import { cachedEntry } from '../../src/services/cache/cached-entry.ts';
import { batchRow, entryRow } from '../contract/store/subject.ts';
import { makeProvider } from '../services/model-server.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

const DAY = 86_400;
const FIRST = Date.parse('2026-03-01T00:00:00Z') / 1000;
const ADMIN = 'sk-admin-canary';

let reports: UsageReports;
let harness: Harness;
beforeEach(async () => {
  reports = await startUsageReports({ adminKey: ADMIN });
  const common = { api_key: 'sk-plain', base_url: `${reports.url}/v1`, allow_http: true };
  harness = await openHarness({
    http: createNodeHttpClient(),
    providers: new Map([
      makeProvider('openai', { kind: 'openai', ...common, admin_key: ADMIN }),
      makeProvider('claude', { kind: 'anthropic', ...common, base_url: reports.url, admin_key: ADMIN }),
      makeProvider('pool', { kind: 'vllm', base_urls: [`${reports.url}/v1`] }),
    ]),
  });
});
afterEach(async () => {
  await harness.deps.http.close();
  await harness.close();
  await reports.stop();
});

let made = 0;
function entry(day: number, change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  made += 1;
  return entryRow({
    createdAt: FIRST + day * DAY + 3_600,
    batchId: null,
    line: null,
    customId: `c-${made}`,
    provider: 'openai',
    model: 'gpt-4o-mini',
    inputTokens: 1_000,
    cachedInputTokens: 400,
    outputTokens: 100,
    amountNano: 210_000,
    ...change,
  });
}

const used = (day: number, usd: string, change: Partial<AccountUsage> = {}): AccountUsage => ({
  day: FIRST + day * DAY,
  model: 'gpt-4o-mini-2024-07-18',
  inputTokens: 600,
  cachedTokens: 400,
  outputTokens: 100,
  requests: 1,
  usd,
  ...change,
});

async function ask(json: object): Promise<Reconciliations> {
  const answer = await harness.send('POST', '/v1/ledger/reconciliations', { json });
  if (answer.status !== 200) throw new Error(await answer.text());
  return reconciliationsSchema.parse(await answer.json());
}

const MARCH = { from: '2026-03-01', to: '2026-04-01' };

describe('/v1/ledger/reconciliations', () => {
  it('puts OpenAI’s own usage and costs beside the ledger, every page of a month', async () => {
    const entries = Array.from({ length: 31 }, (_, day) => entry(day));
    await harness.deps.store.ledger.append(entries);
    reports.usage = Array.from({ length: 31 }, (_, day) => used(day, '0.00021'));
    const { data, skipped } = await ask({ ...MARCH, providers: ['openai'] });
    expect(skipped).toEqual([]);
    expect(data[0]).toMatchObject({
      source: 'usage_api',
      ledger_nano_usd: 31 * 210_000,
      billed_usd: '0.00651',
      unexplained_nano_usd: 0,
      causes: [{ cause: 'equal', rows: 31, difference_nano_usd: 0 }],
    });
    expect(data[0]?.data[30]).toMatchObject({ day: '2026-03-31', billed: { input_tokens: 1_000, output_tokens: 100 } });
    expect(reports.asked.filter((path) => path.startsWith('/v1/organization/costs'))).toHaveLength(5);
  });

  it('names every difference: another price, usage nobody knows, entries without an amount, what was never billed', async () => {
    await harness.deps.store.ledger.append([
      entry(0),
      entry(1),
      entry(2, { amountNano: null, listAmountNano: null, unpricedReason: 'no_price' }),
      entry(3),
    ]);
    reports.usage = [
      used(0, '0.00042'),
      used(1, '0.0003', { outputTokens: 150 }),
      used(2, '0.00021'),
      used(4, '0.001'),
    ];
    const { data } = await ask({ ...MARCH, providers: ['openai'] });
    const [found] = data;
    expect(found?.data.map(({ day, cause, difference_nano_usd: nano }) => [day.slice(-2), cause, nano])).toEqual([
      ['01', 'price', 210_000],
      ['02', 'usage', 90_000],
      ['03', 'unpriced', 210_000],
      ['04', 'not_billed', -210_000],
      ['05', 'not_in_ledger', 1_000_000],
    ]);
    expect(found).toMatchObject({ explained_nano_usd: 210_000, unexplained_nano_usd: 1_090_000 });
    const { ledger_nano_usd: ledger, explained_nano_usd: explained, unexplained_nano_usd: open } = found ?? {};
    expect((ledger ?? 0) + (explained ?? 0) + (open ?? 0)).toBe(found?.billed_nano_usd);
    const csv = await harness.send('POST', '/v1/ledger/reconciliations?format=csv', {
      json: { ...MARCH, providers: ['openai'] },
    });
    expect((await csv.text()).split('\r\n')).toHaveLength(7);
  });

  it('asks each provider that can tell, Anthropic in its own form, and says why others are left out', async () => {
    const claude = { provider: 'claude', model: 'claude-haiku-4-5' };
    await harness.deps.store.ledger.append([entry(0, { ...claude, amountNano: 1_234_567 })]);
    reports.usage = [used(0, '0.001234567', { model: 'claude-haiku-4-5-20251001' })];
    const { data, skipped } = await ask(MARCH);
    expect(data.map(({ providers }) => providers)).toEqual([['openai'], ['claude']]);
    expect(data[1]).toMatchObject({ billed_nano_usd: 1_234_567, unexplained_nano_usd: 0 });
    expect(skipped).toEqual([{ provider: 'pool', reason: expect.stringContaining('give its bill instead') }]);
  });

  it('says what to do about a key that is no admin key, and about answers that cannot be read; no key is shown', async () => {
    reports.adminKey = 'another';
    const refused = await ask({ ...MARCH, providers: ['openai', 'claude'] });
    expect(refused.data).toEqual([]);
    expect(refused.skipped.map(({ reason }) => reason.includes('admin_key must be an admin API key'))).toEqual([
      true,
      true,
    ]);
    reports.adminKey = ADMIN;
    for (const body of ['<html>', '{}', '{"data":[{"results":[{}],"start_time":5}]}', '{"data":[],"has_more":true}']) {
      reports.answers = [{ status: 200, body }];
      const { skipped } = await ask({ ...MARCH, providers: ['openai'] });
      expect([body, skipped.length]).toEqual([body, 1]);
    }
    expect(JSON.stringify([refused, harness.log])).not.toContain('canary');
  });

  it('takes a bill: an AWS export, read in pieces, for two providers together, with names mapped', async () => {
    const nova = { provider: 'openai', model: 'us.amazon.nova-lite-v1:0', amountNano: 375_000 };
    await harness.deps.store.ledger.append([entry(3, nova), entry(3, { ...nova, provider: 'claude' })]);
    const folder = await mkdtemp(join(tmpdir(), 'weir-bill-'));
    const path = join(folder, 'cur.csv');
    const row = (type: string, usd: string) =>
      `2026-03-04T00:00:00Z,AmazonBedrock,${type},"1,000",${usd},USD,"a ""quoted""\nname"`;
    const rows = Array.from({ length: 5_000 }, () => row('USE1-NovaLite-input-tokens', '0.00000015'));
    await writeFile(
      path,
      [
        'lineItem/UsageStartDate,lineItem/ProductCode,lineItem/UsageType,tags,lineItem/UnblendedCost,lineItem/CurrencyCode,x',
        ...rows,
        row('USE1-Mystery-7', '0.5'),
        '2026-03-04T00:00:00Z,AmazonS3,Requests,,1,USD,',
      ].join('\n'),
    );
    const bill = await readBill(path);
    await rm(folder, { recursive: true });
    expect(bill).toMatchObject({
      skipped: 1,
      rows: [{ day: '2026-03-04', model: 'NovaLite', amount_usd: '0.00075' }, {}],
    });
    const providers = ['openai', 'claude'];
    const { data } = await ask({ ...MARCH, providers, billed: bill.rows });
    expect(data[0]).toMatchObject({
      source: 'bill',
      unexplained_usd: '0.5',
      causes: [{ cause: 'equal' }, { cause: 'not_in_ledger' }],
    });
    const models = { 'Mystery-7': 'us.amazon.nova-lite-v1:0' };
    expect((await ask({ ...MARCH, providers, billed: bill.rows, models })).data[0]?.data).toHaveLength(1);
    expect(await harness.deps.store.ledger.entries({ tenantId: null }, { limit: 9 })).toHaveLength(2);
  });

  it('refuses days, names and bills that make no sense, and everybody but administrators', async () => {
    const cases: [object, string][] = [
      [{ from: '2026-02-30', to: '2026-03-01' }, 'from'],
      [{ from: '2026-03-02', to: '2026-03-01' }, 'from'],
      [{ from: '2024-01-01', to: '2026-03-01' }, 'to'],
      [{ ...MARCH, providers: ['nobody'] }, 'providers'],
      [{ ...MARCH, billed: [] }, 'providers'],
      [{ ...MARCH, providers: ['openai'], billed: [{ day: '2026-05-01', model: 'm' }] }, 'billed[0].day'],
      [
        { ...MARCH, providers: ['openai'], billed: [{ day: '2026-03-01', model: 'm', amount_usd: '1,0' }] },
        'billed[0].amount_usd',
      ],
      [{ ...MARCH, provider: 'openai' }, 'provider'],
    ];
    for (const [json, param] of cases) {
      const answer = await harness.send('POST', '/v1/ledger/reconciliations', { json });
      expect([json, answer.status]).toEqual([json, 400]);
      expect(await errorOf(answer)).toMatchObject({ param });
    }
    const { secret: key } = await harness.makeKey();
    expect((await harness.send('POST', '/v1/ledger/reconciliations', { json: MARCH, key })).status).toBe(403);
  });
});

describe('/v1/batches/{id}/repricing', () => {
  const price = (from: string, input: string, output: string) => ({
    provider: 'openai',
    model: 'gpt-old',
    from,
    standard: { input, output },
    batch: { input: String(Number(input) / 2), output: String(Number(output) / 2) },
  });

  async function stated(...prices: object[]): Promise<void> {
    for (const json of prices) {
      const answer = await harness.send('POST', '/v1/prices', { json });
      if (answer.status !== 200) throw new Error(await answer.text());
    }
  }

  it('prices the tokens that were used on another model, mode, provider or day, and writes nothing', async () => {
    harness.time.nowMs = (FIRST - 100 * DAY) * 1000;
    await stated(price('2026-02-01', '1', '2'), price('2026-06-01', '4', '8'));
    await harness.deps.store.batches.insert(batchRow('batch_1', { tenantId: 'default' }));
    const row = {
      batchId: 'batch_1',
      tenantId: 'default',
      model: 'gpt-old',
      target: 'openai/gpt-old',
      amountNano: 1_200,
    };
    const usage = { input_tokens: 1_000, output_tokens: 100 };
    await harness.deps.store.ledger.append([
      entry(0, { ...row, line: 1, usage }),
      entry(0, { ...row, line: 2, usage }),
      entry(0, { ...row, line: 3, status: 'unknown', usage: null, amountNano: null, unpricedReason: 'no_answer' }),
      cachedEntry(entry(0, { ...row, line: 4, usage })),
    ]);
    const ask = async (query: string) =>
      batchRepricingSchema.parse(await (await harness.send('GET', `/v1/batches/batch_1/repricing?${query}`)).json());
    // 1,000 tokens at 1 USD and 100 at 2 USD for a million: 1.2 million nano-USD a line.
    expect(await ask('')).toMatchObject({
      entries: 4,
      actual_nano_usd: 2_400,
      repriced_nano_usd: 2_400_000,
      repriced_unpriced_entries: 1,
      unpriced: [{ reason: 'no_answer', entries: 1 }],
    });
    expect(await ask('prices_at=2026-06-01')).toMatchObject({
      repriced_nano_usd: 9_600_000,
      difference_usd: '0.0095976',
    });
    expect(await ask('mode=batch')).toMatchObject({ repriced_nano_usd: 1_200_000, mode: 'batch' });
    expect(await ask('model=gpt-unknown')).toMatchObject({ repriced_nano_usd: 0, repriced_unpriced_entries: 3 });
    expect(await ask('provider=pool&model=llama')).toMatchObject({ repriced_unpriced_entries: 3, provider: 'pool' });
    expect(await harness.deps.store.ledger.entries({ tenantId: null }, { limit: 9 })).toHaveLength(4);
    const wrong = await harness.send('GET', '/v1/batches/batch_1/repricing?provider=nobody');
    expect(await errorOf(wrong)).toMatchObject({ param: 'provider' });
    expect((await harness.send('GET', '/v1/batches/batch_1/repricing?day=1')).status).toBe(400);
    const { secret: key } = await harness.makeKey({ tenant_id: 'acme' });
    expect((await harness.send('GET', '/v1/batches/batch_1/repricing', { key })).status).toBe(404);
  });
});
