import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import type { KeyObject } from '../../src/protocol/key.ts';
import { assertInvariants } from '../e2e/invariants.ts';
import {
  ADMIN_KEY,
  chatLines,
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

  it('makes, shows, changes and deletes a budget, with the API’s figures', { timeout: 60_000 }, async () => {
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
    await row.locator(`[data-usd="${spent?.usage.spent_usd}"]`).waitFor();
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
    });
    await context.close();
  });
});
