import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ADMIN_KEY, startWeir, type Weir } from '../e2e/weir.ts';
import { describeInBrowser, drawn, expectAccessible, launch, openPage, signIn } from './browser.ts';

/** Fifty pools of six servers each; nothing listens where they point. */
const pools = Object.fromEntries(
  Array.from({ length: 50 }, (_, pool) => [
    `pool-${pool}`,
    {
      kind: 'vllm',
      base_urls: Array.from({ length: 6 }, (_, server) => `http://127.0.0.1:${4_000 + pool * 6 + server}/v1`),
      models: [
        `model-${pool}`,
        ...Array.from({ length: 20 }, (_, n) => `common-${n}`),
        ...(pool === 7 ? ['rare'] : []),
      ],
    },
  ]),
);

describeInBrowser('the page of many providers', () => {
  let browser: Browser;
  let weir: Weir;

  beforeAll(async () => {
    weir = await startWeir({ providers: pools });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
  });

  it.each([1280, 390])(
    'finds them by name, model and server, and keeps the search in its address, at %d px',
    async (width) => {
      const { page, context, complaints } = await openPage(browser, { width });
      await signIn(page, weir.url, ADMIN_KEY);
      await page.goto(`${weir.url}/dashboard/providers`);
      const search = page.getByLabel('Search');
      const sections = page.locator('main section');
      const find = async (text: string, status: string): Promise<void> => {
        await search.fill(text);
        await search.press('Enter');
        await page.getByRole('status').getByText(status, { exact: true }).waitFor();
      };
      await page.getByRole('heading', { name: 'pool-49' }).waitFor();
      expect(await sections.count()).toBe(50);
      await drawn(page, `providers-all-${width}`);
      await find('POOL-7', '1 of 50 providers');
      expect(await sections.getByRole('row').count()).toBe(7);
      // The one that was meant is among those that are shown.
      await find('rare', '1 of 50 providers');
      expect(await sections.innerText()).toContain('22 models: rare, ');
      await find('pool-1 :4009', '1 of 50 providers');
      expect(await sections.getByRole('row').count()).toBe(2);
      await drawn(page, `providers-found-${width}`);
      await expectAccessible(page, 'providers that were searched for');
      expect(new URL(page.url()).searchParams.get('search')).toBe('pool-1 :4009');
      await page.reload();
      await page.getByText('1 of 50 providers').waitFor();
      await search.fill('nowhere');
      await search.press('Enter');
      await page.getByRole('heading', { name: 'No provider matches' }).waitFor();
      await drawn(page, `providers-none-${width}`);
      await page.getByRole('button', { name: 'Show all providers' }).click();
      await page.getByRole('heading', { name: 'pool-49' }).waitFor();
      expect(complaints.list).toEqual([]);
      await context.close();
    },
  );
});
