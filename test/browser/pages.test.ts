import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
import {
  COLOUR_RULES,
  describeInBrowser,
  drawn,
  expectAccessible,
  expectAccessibleInThemes,
  launch,
  openPage,
  signIn,
} from './browser.ts';
import { seedLedger } from './seed.ts';

const WIDTHS = [360, 820, 1440];
const THEMES = ['light', 'dark'] as const;

describeInBrowser('every page', () => {
  let browser: Browser;
  let pools: Pools;
  let weir: Weir;
  let folder: string;
  let places: [name: string, place: string][];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-browser-'));
    await seedLedger(`file:${join(folder, 'weir.db')}`, { now: Math.floor(Date.now() / 1000), days: 10, perDay: 200 });
    pools = await startPools([{ models: ['gpt-4o-mini'] }, { models: ['gpt-4o-mini'] }]);
    weir = await startWeir(
      splitConfig(
        pools.servers.map((server) => server.baseUrl),
        [70, 30],
      ),
      { folder },
    );
    const input = chatLines(60, (index) => (index % 10 === 0 ? { max_tokens: -1 } : {}));
    const batch = await submit(weir, input, { config: 'split', metadata: { name: 'Nightly triage', project: 'mail' } });
    await waitForBatch(weir, batch.id);
    const create = (path: string, body: object) => weir.call(path, { method: 'POST', body: JSON.stringify(body) });
    await create('/v1/keys', { name: 'nightly', limits: { requests_per_minute: 600 } });
    await create('/v1/budgets', { limit_usd: '25', period: 'month', timezone: 'Europe/Berlin', route: 'split' });
    places = [
      ['overview', ''],
      ['batches', '/batches'],
      ['batch', `/batches/${batch.id}`],
      ['ledger', '/ledger'],
      ['entries', '/ledger?view=entries'],
      ['routes', '/routes?route=split'],
      ['providers', '/providers'],
      ['prices', '/prices?provider=openai&model=gpt-4o-mini'],
      ['keys', '/keys'],
      ['budgets', '/budgets'],
    ];
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(THEMES)('is accessible in the %s theme, and fits every width', { timeout: 90_000 }, async (theme) => {
    const { page, context, complaints } = await openPage(browser, { theme });
    await signIn(page, weir.url, ADMIN_KEY);
    for (const [name, place] of places) {
      await page.goto(`${weir.url}/dashboard${place}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForFunction(() => document.querySelector('.skeleton') === null);
      await expectAccessible(page, `${name}, ${theme}`, theme === 'dark' ? COLOUR_RULES : undefined);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
        await drawn(page, `${name}-${width}-${theme}`, { fullPage: true });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([name, width, Math.max(0, overflow)]).toEqual([name, width, 0]);
      }
    }
    expect(complaints.list).toEqual([]);
    await context.close();
  });

  it('has dialogs that are accessible in both themes, and fit every width', { timeout: 120_000 }, async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    const batch = places.find(([name]) => name === 'batch')?.[1] ?? '';
    const dialogs: [name: string, place: string, button: string | RegExp][] = [
      ['new key', '/keys', 'New key'],
      ['key', '/keys', 'Edit nightly'],
      ['revoke', '/keys', 'Revoke nightly'],
      ['new budget', '/budgets', 'New budget'],
      ['budget', '/budgets', /^Edit/],
      ['delete budget', '/budgets', /^Delete/],
      ['state price', '/prices?provider=openai&model=gpt-5.4', 'New price'],
      ['price', '/prices?provider=openai&model=gpt-5.4', 'gpt-5.4'],
      ['entry', '/ledger?view=entries', /^request-/],
      ['retry', batch, /^Retry/],
      ['request', batch, 'request-1'],
    ];
    for (const [name, place, button] of dialogs) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(`${weir.url}/dashboard${place}`);
      await page.getByRole('button', { name: button, exact: true }).first().click();
      await page.getByRole('dialog').waitFor();
      await page.waitForFunction(() => document.querySelector('dialog .skeleton') === null);
      await expectAccessibleInThemes(page, `dialog: ${name}`);
      if (name === 'price') {
        // The form of a successor shows every rate of every card.
        await page.getByRole('button', { name: 'State its successor' }).click();
        await page.getByLabel('From (UTC day)').waitFor();
        await expectAccessibleInThemes(page, 'dialog: successor');
      }
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        for (const width of [360, 768, 1440]) {
          await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
          await drawn(page, `dialog-${name.replaceAll(' ', '-')}-${width}-${theme}`);
          const overflow = await page.evaluate(() => {
            const dialog = document.querySelector('dialog');
            return dialog === null ? 1 : dialog.scrollWidth - dialog.clientWidth;
          });
          expect([name, width, overflow]).toEqual([name, width, 0]);
        }
      }
    }
    expect(complaints.list).toEqual([]);
    await context.close();
  });

  it('can be walked by keyboard, on a phone through the menu', async () => {
    const { page, context } = await openPage(browser, { width: 360, height: 780 });
    await signIn(page, weir.url, ADMIN_KEY);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
    const menu = page.getByRole('button', { name: 'Menu' });
    await menu.focus();
    await page.keyboard.press('Enter');
    expect(await menu.getAttribute('aria-expanded')).toBe('true');
    await page.getByRole('link', { name: 'Ledger' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ledger' }).waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
    expect(await page.title()).toBe('Ledger – Weir');
    await context.close();
  });

  it('is usable soon after it is opened', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    for (const [name, place] of places) {
      const startedAt = performance.now();
      await page.goto(`${weir.url}/dashboard${place}`, { waitUntil: 'commit' });
      await page.getByRole('heading', { level: 1 }).waitFor();
      // The figure itself is the bench's; a shared machine is given room here.
      expect([name, performance.now() - startedAt < 8_000]).toEqual([name, true]);
    }
    await context.close();
  });
});
