import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LedgerFigures } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, startWeir, type Weir } from '../e2e/weir.ts';
import { describeInBrowser, expectAccessible, launch, openPage, signIn } from './browser.ts';
import { seedLedger } from './seed.ts';

describeInBrowser('the overview', () => {
  let browser: Browser;
  let weir: Weir;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-browser-'));
    await seedLedger(`file:${join(folder, 'weir.db')}`, { now: Math.floor(Date.now() / 1000), days: 10, perDay: 300 });
    weir = await startWeir({ providers: {} }, { folder });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('refuses a wrong key with a message and lets a right one in', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${weir.url}/dashboard`);
    await expectAccessible(page, 'the sign-in page');
    await page.getByLabel('API key').fill('weir_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('Incorrect API key').waitFor();
    await page.getByLabel('API key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const [cookie] = await context.cookies(`${weir.url}/v1`);
    expect(cookie).toMatchObject({ name: 'weir_session', httpOnly: true, sameSite: 'Strict', path: '/v1' });
    expect(await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]))).not.toContain(
      'admin',
    );

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await context.close();
  });

  it('shows the very figures of the API, and no error', async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    const from = Math.floor(Date.now() / 86_400_000) * 86_400 - 6 * 86_400;
    const { total, data } = await weir.call<{ total: LedgerFigures; data: (LedgerFigures & { provider: string })[] }>(
      `/v1/ledger/summary?from=${from}&group_by=provider`,
    );
    const spend = page.locator('.figure', { hasText: 'Spend' }).locator('dd [data-usd]').first();
    await spend.waitFor();
    expect(await spend.getAttribute('data-usd')).toBe(total.amount_usd);
    expect(await spend.getAttribute('title')).toBe(`$${total.amount_usd} exactly`);
    for (const row of data) {
      const cells = page.getByRole('row', { name: row.provider }).locator('[data-usd]');
      expect(await cells.first().getAttribute('data-usd')).toBe(row.amount_usd);
    }
    await page.getByRole('button', { name: '24 hours' }).click();
    await page.waitForURL(/period=24h/);
    await page.getByRole('combobox', { name: 'by', exact: true }).selectOption('model');
    await page.getByRole('columnheader', { name: 'model' }).waitFor();
    await expectAccessible(page, 'the overview');
    expect(complaints.list).toEqual([]);
    await context.close();
  });
});
