import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BatchTarget } from '../../src/protocol/batch-insight.ts';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import type { KeyObject } from '../../src/protocol/key.ts';
import type { Page as ListPage } from '../../src/protocol/page.ts';
import type { PriceObject } from '../../src/protocol/price.ts';
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
import { describeInBrowser, launch, openPage, signIn } from './browser.ts';

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
});
