import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BatchTarget } from '../../src/protocol/batch-insight.ts';
import type { NamedRoute } from '../../src/protocol/route.ts';
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
import { describeInBrowser, expectAccessibleInThemes, launch, openPage, signIn } from './browser.ts';

describeInBrowser('work in the dashboard', () => {
  let browser: Browser;
  let pools: Pools;
  let weir: Weir;

  beforeAll(async () => {
    pools = await startPools([
      { models: ['gpt-4o-mini'], latency_ms: { min: 60, max: 120 } },
      { models: ['gpt-4o-mini'], latency_ms: { min: 60, max: 120 } },
    ]);
    const urls = pools.servers.map((server) => server.baseUrl);
    weir = await startWeir(splitConfig(urls, [70, 30], { limits: { concurrency: 8 } }));
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await pools?.stop();
  });

  it('watches a batch run to its end, and shows the cost that the API tells', { timeout: 60_000 }, async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.getByRole('link', { name: 'Batches' }).click();
    await page.getByText('No batches yet').waitFor();
    const input = chatLines(240);
    const { id } = await submit(weir, input, { config: 'split', metadata: { name: 'Evening run' } });
    // It appears in the list by itself, and its bar moves.
    await page.getByRole('link', { name: 'Evening run' }).click();
    await page.getByRole('heading', { name: 'Evening run' }).waitFor();
    const bar = page.getByRole('progressbar', { name: 'Requests' });
    await page.waitForFunction(() => {
      const bars = document.querySelectorAll('[role=progressbar]');
      const now = Number(bars[0]?.getAttribute('aria-valuenow'));
      return now > 0;
    });
    await page.locator('.batch-lead .badge', { hasText: 'Completed' }).waitFor();
    expect(await bar.getAttribute('aria-valuenow')).toBe('240');
    await waitForBatch(weir, id);
    const { batch } = await assertInvariants(weir, id, input);
    await page.locator(`.figure.lead dd [data-usd="${batch.cost.amount_usd}"]`).first().waitFor();
    const { data: targets } = await weir.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`);
    const split = page.getByRole('table', { name: 'Split by target' });
    for (const target of targets) {
      const row = split.getByRole('row', { name: target.target });
      await row.locator(`[data-usd="${target.amount_usd}"]`).waitFor();
      expect(await row.innerText()).toContain(String(target.requests));
    }
    await page.getByRole('button', { name: 'request-0', exact: true }).click();
    await page.getByRole('dialog').getByText('Question 0: what is 0 + 0?').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download results' }).click();
    expect((await download).suggestedFilename()).toBe(`${id}.jsonl`);
    expect(complaints.list).toEqual([]);
    await context.close();
  });

  it('pauses, resumes and cancels', { timeout: 60_000 }, async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    const input = chatLines(3_000);
    const { id } = await submit(weir, input, { config: 'split' });
    await page.goto(`${weir.url}/dashboard/batches/${id}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused').first().waitFor();
    expect((await weir.call<BatchObject>(`/v1/batches/${id}`)).paused).toBe(true);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await expectAccessibleInThemes(page, 'cancel this batch');
    await page.getByRole('button', { name: 'Keep as it is' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Running').first().waitFor();
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel the batch' }).click();
    await page.locator('.batch-lead .badge', { hasText: 'Cancelled' }).waitFor();
    await assertInvariants(weir, id, input);
    await context.close();
  });

  it('filters batches and the ledger, and exports what it shows', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/batches`);
    await page.getByRole('link', { name: 'Evening run' }).waitFor();
    await page.getByRole('button', { name: 'Cancelled' }).click();
    await page.getByRole('link', { name: 'Evening run' }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await page.getByLabel('Search').fill('evening');
    await page.keyboard.press('Enter');
    await page.waitForURL(/search=evening/);
    await page.getByRole('link', { name: 'Evening run' }).waitFor();

    await page.goto(`${weir.url}/dashboard/ledger`);
    await page.getByRole('searchbox', { name: 'Provider' }).fill('pool-b');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: 'pool-a' }).waitFor({ state: 'detached' });
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const stream = await (await download).createReadStream();
    let text = '';
    for await (const chunk of stream) text += chunk;
    expect(text.split('\r\n')[0]).toMatch(/^provider,entries,requests,/);
    expect(text).toContain('pool-b');
    expect(text).not.toContain('pool-a');
    const parquet = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export Parquet' }).click();
    const file = await asyncBufferFromFile(await (await parquet).path());
    const rows = await parquetReadObjects({ file });
    expect(rows.map((row) => row.provider)).toEqual(['pool-b']);
    await context.close();
  });

  it('writes a route, shows every problem of a wrong one, and tries a line', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/routes`);
    await page.getByRole('button', { name: 'New route' }).click();
    await page.getByLabel('Name').fill('night');
    await page.getByRole('button', { name: 'Save route' }).click();
    await page.getByRole('alert').getByText('first-provider').waitFor();
    const config = {
      strategy: { mode: 'fallback' },
      targets: [
        { provider: 'pool-b', model: 'gpt-4o-mini' },
        { provider: 'pool-a', model: 'gpt-4o-mini' },
      ],
    };
    await page.getByLabel('Config').fill(JSON.stringify(config));
    await page.getByRole('button', { name: 'Try this line' }).click();
    await page.getByText('then, if that fails').waitFor();
    await page.getByRole('button', { name: 'Save route' }).click();
    await page.getByRole('button', { name: 'night' }).waitFor();
    expect((await weir.call<NamedRoute>('/v1/routes/night')).config).toEqual(config);
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'night' }).waitFor({ state: 'detached' });
    await context.close();
  });

  it('makes a key that is shown once, and shows its holder that tenant alone', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/keys`);
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByLabel('Name').fill('app');
    await page.getByLabel('Tenant').fill('acme');
    await page.getByRole('button', { name: 'Make the key' }).click();
    const secret = (await page.locator('[data-secret]').innerText()).trim();
    expect(await connect(weir.url, secret).call('/v1/session')).toMatchObject({ tenant_id: 'acme', role: 'user' });
    await page.keyboard.press('Escape');
    await page.reload();
    const picker = page.getByRole('combobox', { name: 'Tenant' });
    await page.getByRole('button', { name: 'Edit app' }).waitFor();
    await picker.selectOption('default');
    await page.getByText('No stored keys of default').waitFor();
    await picker.selectOption('acme');
    await page.getByRole('button', { name: 'Edit app' }).waitFor();
    await context.close();

    const other = await openPage(browser);
    await signIn(other.page, weir.url, secret);
    await other.page.goto(`${weir.url}/dashboard/batches`);
    await other.page.getByText('No batches yet').waitFor();
    expect(await other.page.getByRole('link', { name: 'Keys' }).count()).toBe(0);
    await other.page.goto(`${weir.url}/dashboard/keys`);
    await other.page.getByText('There is no such page').waitFor();
    await other.context.close();
  });
});
