import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BatchTarget } from '../../src/protocol/batch-insight.ts';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import type { KeyObject } from '../../src/protocol/key.ts';
import type { Page as ListPage } from '../../src/protocol/page.ts';
import type { PriceChanges, PriceObject } from '../../src/protocol/price.ts';
import { assertInvariants } from '../e2e/invariants.ts';
import {
  ADMIN_KEY,
  chatLines,
  connect,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from '../e2e/weir.ts';
import { describeInBrowser, drawn, expectAccessibleInThemes, launch, openPage, signIn } from './browser.ts';

const HOSTILE = '<img src=x onerror="window.hacked=1">';

describeInBrowser('money in the dashboard', () => {
  let browser: Browser;
  let pools: Pools;
  let weir: Weir;

  const post = <T>(path: string, body: object) => weir.call<T>(path, { method: 'POST', body: JSON.stringify(body) });
  const budgets = async () => (await weir.call<{ data: BudgetObject[] }>('/v1/budgets')).data;

  beforeAll(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    const urls = pools.servers.map((server) => server.baseUrl);
    weir = await startWeir(splitConfig(urls, [1]));
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await pools?.stop();
  });

  it('makes, shows, changes and deletes a budget, with the API’s figures', { timeout: 90_000 }, async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.getByRole('link', { name: 'Budgets' }).click();
    await page.getByText('No budgets').waitFor();
    await page.getByRole('button', { name: 'New budget' }).click();
    await page.getByLabel('Limit in USD').fill('1.2345678901');
    await page.getByLabel('Name').fill(HOSTILE);
    await page.getByLabel('Alert at percent of the limit').fill('50, most');
    await page.getByRole('button', { name: 'Make the budget' }).click();
    await page.getByRole('alert').getByText('whole percents').waitFor();
    expect(await page.getByLabel('Alert at percent').getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('Alert at percent of the limit').fill('80 50');
    await page.getByRole('button', { name: 'Make the budget' }).click();
    // What only the server knows to be wrong marks its field too.
    await page.getByRole('alert').getByText('at most nine decimals').waitFor();
    expect(await page.getByLabel('Limit in USD').getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('Limit in USD').fill('1.23456789');
    await page.getByLabel('Tag').fill('project:mail');
    await page.getByLabel('When money runs short').selectOption('stop');
    await page.getByRole('button', { name: 'Make the budget' }).click();
    const row = page.getByRole('table', { name: 'Budgets' }).getByRole('row', { name: HOSTILE });
    await row.getByText('tag project:mail').waitFor();
    expect(await budgets()).toMatchObject([
      {
        name: HOSTILE,
        limit_nano_usd: 1_234_567_890,
        alert_thresholds: [50, 80],
        tag: { key: 'project', value: 'mail' },
        period: 'month',
        on_insufficient: 'stop',
      },
    ]);

    const input = chatLines(20);
    const { id } = await submit(weir, input, { config: 'split', metadata: { project: 'mail' } });
    await waitForBatch(weir, id);
    await assertInvariants(weir, id, input);
    const [spent] = await budgets();
    expect(spent?.usage.spent_nano_usd).toBeGreaterThan(0);
    await row.locator(`[data-usd="${spent?.usage.spent_usd}"]`).waitFor({ timeout: 40_000 });
    await row.locator(`[data-usd="${spent?.usage.left_usd}"]`).waitFor();

    await row.getByRole('button', { name: 'Edit' }).click();
    expect(await page.getByLabel('Counted').count()).toBe(0);
    await page.getByLabel('Limit in USD').fill('0');
    await page.getByRole('button', { name: 'Save the budget' }).click();
    await row.getByText('used up').waitFor();
    expect((await budgets())[0]).toMatchObject({ limit_nano_usd: 0, tag: { key: 'project', value: 'mail' } });
    await row.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No budgets').waitFor();
    expect(await budgets()).toEqual([]);
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
    expect(complaints.list.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await context.close();
  });

  it('changes a key’s limits where they stand', async () => {
    const limits = { requests_per_minute: 600, storage_bytes: 5_000_000 };
    const key = await post<KeyObject>('/v1/keys', { name: 'nightly', limits });
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/keys`);
    await page.getByRole('button', { name: 'Edit nightly' }).click();
    await page.getByLabel('Requests a minute').fill('');
    await page.getByLabel('Batches at once').fill('3');
    await page.getByRole('button', { name: 'Save the key' }).click();
    await page.getByText('3 batches at once, 5,000,000 bytes stored').waitFor();
    const { data } = await weir.call<{ data: KeyObject[] }>('/v1/keys');
    expect(data.find(({ id }) => id === key.id)?.limits).toEqual({
      requests_per_minute: null,
      tokens_per_minute: null,
      concurrent_batches: 3,
      batches_per_minute: null,
      storage_bytes: 5_000_000,
      cache_seconds: null,
    });
    await context.close();
  });

  it('shows what a batch has in flight while it runs, and its estimate against what it came to', {
    timeout: 60_000,
  }, async () => {
    const slow = await startPools([{ models: ['gpt-4o-mini'], latency_ms: { min: 700, max: 900 } }]);
    const own = await startWeir(
      splitConfig(
        slow.servers.map((server) => server.baseUrl),
        [1],
      ),
    );
    const { page, context, complaints } = await openPage(browser);
    try {
      await signIn(page, own.url, ADMIN_KEY);
      const input = chatLines(60);
      const { id } = await submit(own, input, { config: 'split' });
      await page.goto(`${own.url}/dashboard/batches/${id}`);
      const targets = () => own.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`);
      await expect.poll(async () => (await targets()).data[0]?.in_flight, { timeout: 10_000 }).toBeGreaterThan(0);
      const split = page.getByRole('table', { name: 'Split by target' });
      await expect
        .poll(() => split.locator('td[data-label="In flight"]').innerText(), { timeout: 10_000 })
        .toMatch(/^[1-9]/);
      await page.locator('.batch-lead .badge', { hasText: 'Completed' }).waitFor();
      expect((await targets()).data.map(({ in_flight: count }) => count)).toEqual([0]);
      const { cost } = await own.call<BatchObject>(`/v1/batches/${id}`);
      const table = page.getByRole('table', { name: 'Estimate against actual' });
      const row = table.getByRole('row', { name: 'Cost' });
      for (const usd of [
        cost.estimate?.low_usd,
        cost.estimate?.expected_usd,
        cost.estimate?.high_usd,
        cost.amount_usd,
      ]) {
        await row.locator(`[data-usd="${usd}"]`).first().waitFor();
      }
      const off = Math.abs(cost.amount_nano_usd / (cost.estimate?.expected_nano_usd ?? 0) - 1) * 100;
      expect(await row.innerText()).toContain(`${Number(off.toFixed(off < 10 ? 1 : 0))}%`);
      await assertInvariants(own, id, input);
      expect(complaints.list).toEqual([]);
    } finally {
      await context.close();
      await own.stop();
      await slow.stop();
    }
  });

  it('checks the prices of models, and states a dated price after showing what it replaces', async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/prices?provider=openai&model=gpt-4o-mini`);
    await page.getByRole('button', { name: 'Check the models' }).click();
    await page.getByText('All 1 have a price').waitFor();
    await page.getByRole('button', { name: 'gpt-4o-mini', exact: true }).first().click();
    await page.getByRole('button', { name: 'State its successor' }).click();
    const tomorrow = await page.getByLabel('From (UTC day)').inputValue();
    expect(Math.abs(Date.parse(tomorrow) - Date.now() - 43_200_000)).toBeLessThan(50_000_000);
    await page.getByLabel('Input', { exact: true }).fill('much');
    await page.getByRole('button', { name: 'Check the price' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByLabel('Input', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('Input', { exact: true }).fill('0.16');
    await page.getByLabel('Source').fill(HOSTILE);
    await page.getByRole('button', { name: 'Check the price' }).click();
    await page.getByText('Takes the place of').waitFor();
    const stated = async () => (await weir.call<ListPage<PriceObject>>('/v1/prices?origin=stated')).data;
    expect(await stated()).toEqual([]);
    await page.getByRole('button', { name: 'State the price' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'All dates' }).click();
    await page.getByRole('row').filter({ hasText: '$0.16' }).waitFor();
    const [price] = await stated();
    expect(price).toMatchObject({ provider: 'openai', model: 'gpt-4o-mini', source: HOSTILE });
    expect(price?.standard).toMatchObject({ input: '0.16', output: '0.6' });
    expect(price?.from).toBe(tomorrow);
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
    expect(complaints.list.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await context.close();
  });

  it('states a price with every class of tokens, a context tier and regions', async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/prices`);
    await page.getByRole('button', { name: 'New price' }).click();
    const dialog = page.getByRole('dialog');
    const fill = (label: string, value: string) => dialog.getByLabel(label, { exact: true }).fill(value);
    await fill('Provider', 'bedrock');
    await fill('Model', 'house.model-v1:0');
    await dialog.getByLabel('Region').fill('eu-west-1, eu-west-2');
    const rates = {
      ...{
        Input: '2',
        Output: '8',
        'Cached input': '0.2',
        'Cache write, 5 minutes': '2.5',
        'Cache write, 1 hour': '4',
      },
      ...{
        Reasoning: '9',
        'Audio in': '10',
        'Cached audio': '1',
        'Audio out': '20',
        'Images in': '3',
        'Images out': '30',
      },
      ...{ 'Web search': '0.01', 'File search': '0.0025' },
    };
    for (const [label, value] of Object.entries(rates)) await fill(label, value);
    const mode = page.getByRole('group', { name: 'Mode' });
    for (const name of ['batch', 'priority']) {
      await mode.getByRole('button', { name }).click();
      await fill('Input', name === 'batch' ? '1' : '3');
      await fill('Output', name === 'batch' ? '4' : 'dear');
    }
    await mode.getByRole('button', { name: 'flex' }).click();
    await page.getByRole('button', { name: 'Add a context tier' }).click();
    await fill('Above input tokens', '200000');
    await fill('Input', '4');
    await fill('Output', '12');
    await page.getByRole('button', { name: 'Check the price' }).click();
    // What is wrong is shown, on whichever card it stands.
    await page.getByRole('alert').getByText('priority.output').waitFor();
    expect(await page.getByLabel('Output', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    await fill('Output', '12');
    await page.getByRole('button', { name: 'Check the price' }).click();
    await page.getByText('No price holds on that day').waitFor();
    await page.getByRole('button', { name: 'State the price' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const stated = async () =>
      (await weir.call<ListPage<PriceObject>>('/v1/prices?origin=stated&provider=bedrock')).data;
    expect(await stated()).toMatchObject([
      {
        region: ['eu-west-1', 'eu-west-2'],
        standard: {
          ...{ input: '2', output: '8', cached_input: '0.2', cache_write: '2.5', cache_write_1h: '4', reasoning: '9' },
          ...{ input_audio: '10', cached_audio: '1', output_audio: '20', input_image: '3', output_image: '30' },
          ...{ web_search: '0.01', file_search: '0.0025' },
        },
        batch: { input: '1', output: '4' },
        priority: { input: '3', output: '12' },
        flex: null,
        tiers: [{ above_input_tokens: 200_000, standard: { input: '4', output: '12' } }],
      },
    ]);
    expect(complaints.list.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await context.close();
  });

  it('compares prices with another list, and states what is chosen from a day on', async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/prices?provider=groq`);
    await page.getByRole('button', { name: 'Compare' }).click();
    const { data: changes } = await weir.call<PriceChanges>('/v1/prices/diff?provider=groq');
    const [change] = changes;
    const row = page
      .getByRole('table', { name: 'Prices of another list' })
      .getByRole('row', { name: change?.model ?? '' });
    for (const { after } of change?.fields ?? []) await row.getByText(`$${after}`).first().waitFor();
    await expectAccessibleInThemes(page, 'prices of another list');
    for (const width of [360, 768, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await drawn(page, `prices-elsewhere-${width}-dark`, { fullPage: true });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect([width, Math.max(0, overflow)]).toEqual([width, 0]);
    }
    const go = page.getByRole('button', { name: /^Check what is chosen/ });
    expect(await go.isDisabled()).toBe(true);
    await row.getByRole('checkbox').check();
    await go.click();
    const stated = async () => (await weir.call<ListPage<PriceObject>>('/v1/prices?origin=stated&provider=groq')).data;
    await page.getByRole('button', { name: /^State 1 price from/ }).waitFor();
    expect(await stated()).toEqual([]);
    await page.getByRole('button', { name: /^State 1 price from/ }).click();
    await row.getByText('Stated.').waitFor();
    expect(await stated()).toMatchObject([
      {
        model: change?.model,
        source: '@pydantic/genai-prices',
        standard: change?.successor?.standard,
        in_effect: false,
      },
    ]);
    const { secret } = await post<{ secret: string }>('/v1/keys', { name: 'user', tenant_id: 'acme' });
    await expect(connect(weir.url, secret).call('/v1/prices/diff')).rejects.toThrow(/403/);
    expect(complaints.list).toEqual([]);
    await context.close();
  });

  it('shows an administrator one tenant’s batches and account, or all of them', async () => {
    const made = await post<{ secret: string }>('/v1/keys', { name: 'acme', tenant_id: 'acme' });
    const acme = connect(weir.url, made.secret);
    const { id } = await submit(acme, chatLines(7), { config: 'split', metadata: { name: 'Of acme' } });
    await waitForBatch(acme, id);
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/batches`);
    await page.getByRole('link', { name: 'Of acme' }).waitFor();
    await page.getByLabel('Tenant').selectOption('default');
    await page.getByRole('link', { name: 'Of acme' }).waitFor({ state: 'detached' });
    await page.getByLabel('Tenant').selectOption('acme');
    await page.getByRole('link', { name: 'Of acme' }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.getByRole('link', { name: 'Ledger' }).click();
    const { total } = await acme.call<{ total: { amount_usd: string } }>('/v1/ledger/summary?group_by=provider');
    await page.locator(`.figure.lead [data-usd="${total.amount_usd}"]`).first().waitFor();
    await context.close();
  });

  it('shows no sum without a price as zero, on a phone beside its name at the right', async () => {
    const pool = { kind: 'vllm', base_urls: [pools.servers[0]?.baseUrl], models: ['gpt-4o-mini'] };
    const free = await startWeir({ providers: { pool } });
    const name = `Of no price ${'x'.repeat(300)}`;
    const { id } = await submit(free, chatLines(2), { metadata: { name } });
    await waitForBatch(free, id);
    const { page, context } = await openPage(browser, { width: 390, height: 844 });
    await signIn(page, free.url, ADMIN_KEY);
    await page.goto(`${free.url}/dashboard/ledger`);
    const row = page.getByRole('row', { name: /^pool/ });
    expect(await row.locator('[data-label="Saved"]').innerText()).toContain('unpriced');
    expect(await page.locator('.figures').innerText()).not.toMatch(/\$0(?![.\d])/);
    await page.goto(`${free.url}/dashboard/batches`);
    const cost = page.locator('[data-label="Cost"] .exact').first();
    expect((await cost.boundingBox())?.x).toBeGreaterThan(390 / 2);
    expect((await page.getByRole('link', { name: 'Of no price' }).boundingBox())?.height).toBeLessThan(90);
    await context.close();
    await free.stop();
  });
});
