import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-node.ts';
import { ADMIN_KEY, startWeir, type Weir } from '../e2e/weir.ts';
import { type SeededTarget, seedEvalRun } from '../services/seed-eval-run.ts';
import { COLOUR_RULES, describeInBrowser, drawn, expectAccessible, launch, openPage, signIn } from './browser.ts';

const HOSTILE = '<img src=x onerror="document.title=\'taken\'">';
const EVAL = 'eval_sums';
const DAY = 86_400;
const ITEMS = 40;

/** Verdicts of so many items of which each `every`-th failed. */
function failing(every: number): string {
  return Array.from({ length: ITEMS }, (_none, item) => (item % every === every - 1 ? '0' : '1')).join('');
}

function targets(better: number): SeededTarget[] {
  return [
    { name: 'gpt-4o-mini', verdicts: failing(8 + better), costNano: 41_000 },
    {
      name: 'pool-a/llama-3.3-70b',
      verdicts: failing(4 + better),
      costNano: 17_000,
      text: () => HOSTILE,
      // Answers that are given again have no time.
      latencyMs: (item) => (item < 30 ? null : 7),
    },
    { name: HOSTILE, verdicts: failing(3).replace('0', '!'), costNano: null, latencyMs: null },
  ];
}

describeInBrowser('the pages of evals', () => {
  let browser: Browser;
  let weir: Weir;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-browser-'));
    const store = await openStore({ url: `file:${join(folder, 'weir.db')}` });
    const now = Math.floor(Date.now() / 1000);
    for (const day of [0, 1, 2, 3]) {
      await seedEvalRun(store, {
        evalId: EVAL,
        runId: `evalrun_${day}`,
        tenantId: 'default',
        createdAt: now - (3 - day) * DAY,
        targets: targets(day),
        itemOf: (item) => ({ id: `sum-${item}`, question: HOSTILE, answer: String(2 * item) }),
      });
    }
    await store.close();
    weir = await startWeir({ providers: {} }, { folder });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('show runs over time, targets compared, and the items on which they differ side by side', {
    timeout: 60_000,
  }, async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.getByRole('link', { name: 'Evals' }).click();
    await page.getByRole('link', { name: 'Sums' }).click();
    await page.getByRole('heading', { name: 'Sums' }).waitFor();
    const over = page.getByRole('img', { name: /^Pass rate from the oldest run to the newest/ });
    expect(await over.getAttribute('aria-label')).toContain('gpt-4o-mini 88%, 90%, 90%, 93%');

    const compared = page.getByRole('region', { name: 'Targets', exact: true });
    const row = compared.getByRole('row', { name: /gpt-4o-mini/ });
    await row.waitFor();
    expect(await row.innerText()).toMatch(/93%/);
    expect(await row.innerText()).toContain('on the frontier');
    const unpriced = compared.getByRole('row', { name: /onerror/ });
    expect(await unpriced.innerText()).toContain('not known');
    await compared.getByTitle('of 40 answers', { exact: true }).getByText('119 · 135 ms').waitFor();
    await compared.getByTitle('of 10 answers; 30 were not timed').getByText('7 · 7 ms').waitFor();
    expect(await compared.getByText('of 10 answers', { exact: true }).count()).toBe(1);
    expect(await compared.getByTitle('no answer was timed').innerText()).toBe('–');
    expect(await page.getByRole('img', { name: /^Pass rate and cost per item: gpt-4o-mini/ }).count()).toBe(1);
    expect(await page.getByRole('img', { name: /^Scores of gpt-4o-mini/ }).count()).toBe(1);

    const item = page.locator('.compared li').first();
    await item.locator('summary').click();
    expect(await item.innerText()).toContain(HOSTILE);
    expect(await item.getByText('It is 4.').count()).toBeGreaterThan(0);
    const differing = await page.locator('.compared li').count();
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await page.waitForFunction((count) => document.querySelectorAll('.compared li').length > count, differing);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('sum-39', { exact: true }).waitFor();

    await page.getByRole('button', { name: 'Nightly' }).last().click();
    await page.waitForFunction(() => location.search.includes('run=evalrun_0'));
    await page.waitForFunction(() => document.querySelector('.skeleton') === null);
    expect(await row.innerText()).toMatch(/88%/);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('Eval – Weir');
    expect(complaints.list).toEqual([]);
    await context.close();
  });

  it.each(['light', 'dark'] as const)(
    'are accessible in the %s theme, and fit every width',
    { timeout: 90_000 },
    async (theme) => {
      const { page, context, complaints } = await openPage(browser, { theme });
      await signIn(page, weir.url, ADMIN_KEY);
      for (const [name, place] of [
        ['evals', '/evals'],
        ['eval', `/evals/${EVAL}`],
      ]) {
        await page.goto(`${weir.url}/dashboard${place}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForFunction(() => document.querySelector('.skeleton') === null);
        const first = page.locator('.compared summary').first();
        if ((await first.count()) > 0) await first.click();
        await expectAccessible(page, `${name}, ${theme}`, theme === 'dark' ? COLOUR_RULES : undefined);
        for (const width of [360, 820, 1440]) {
          await page.setViewportSize({ width, height: 900 });
          await drawn(page, `${name}-${width}-${theme}`, { fullPage: true });
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect([name, width, Math.max(0, overflow)]).toEqual([name, width, 0]);
        }
      }
      expect(complaints.list).toEqual([]);
      await context.close();
    },
  );
});
