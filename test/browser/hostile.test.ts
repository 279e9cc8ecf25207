import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SimulatedServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import { startOpenAICompatibleServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import { ADMIN_KEY, chatLines, splitConfig, startWeir, type Weir, waitForBatch } from '../e2e/weir.ts';
import { describeInBrowser, launch, openPage, signIn } from './browser.ts';

const ATTACKS = [
  '<img src=x onerror="window.hacked=1">',
  '"><script>window.hacked=1</script>',
  "javascript:window.hacked=1//'",
  '<svg/onload=window.hacked=1>',
];
const [attack = ''] = ATTACKS;
/** Without quotes, which a form encodes. */
const FILE_NAME = '<img src=x onerror=window.hacked=1>.jsonl';

describeInBrowser('hostile text in the dashboard', () => {
  let browser: Browser;
  let server: SimulatedServer;
  let weir: Weir;
  let id: string;

  beforeAll(async () => {
    server = await startOpenAICompatibleServer({ models: ['gpt-4o-mini'], answer: () => ATTACKS.join('\n') });
    weir = await startWeir(splitConfig([server.baseUrl], [1]));
    const lines = chatLines(12, (index) => (index % 3 === 0 ? { max_tokens: -1 } : {}))
      .trim()
      .split('\n')
      .map((line, index) => JSON.stringify({ ...JSON.parse(line), custom_id: `${ATTACKS[index % 4]}${index}` }));
    const file = await weir.client.files.create({
      file: new File([`${lines.join('\n')}\n`], FILE_NAME),
      purpose: 'batch',
    });
    const batch = await weir.client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: 'immediate' as '24h',
      metadata: { name: attack, [attack]: ATTACKS[1] ?? '' },
      ...{ config: 'split' },
    });
    id = batch.id;
    await waitForBatch(weir, id);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
    await server?.stop();
  });

  it('is shown as text wherever it appears: names, ids, files, answers, errors, tags, filters', {
    timeout: 60_000,
  }, async () => {
    const { page, context, complaints } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.goto(`${weir.url}/dashboard/batches`);
    await page.getByRole('link', { name: attack }).click();
    await page.getByRole('heading', { name: attack }).waitFor();
    await page.getByText(FILE_NAME).waitFor();
    await page.getByText(`${attack}: ${ATTACKS[1]}`).waitFor();
    await page.getByRole('button', { name: `${ATTACKS[1]}1`, exact: true }).click();
    await page.getByRole('dialog').getByText('onload=window.hacked').first().waitFor();
    await page.keyboard.press('Escape');
    for (const place of [
      '/ledger?view=entries',
      `/ledger?by=${encodeURIComponent(attack)}&provider=${encodeURIComponent(attack)}`,
      `/?period=${encodeURIComponent(attack)}&by=tag&tag=${encodeURIComponent(attack)}`,
      `/batches?search=${encodeURIComponent(attack)}&sort=${encodeURIComponent(attack)}`,
      `/batches/${encodeURIComponent(attack)}`,
      `/${encodeURIComponent(attack)}`,
    ]) {
      await page.goto(`${weir.url}/dashboard${place}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForFunction(() => document.querySelector('main .skeleton') === null);
    }
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
    expect(complaints.list.filter((text) => !text.includes('status of 4'))).toEqual([]);
    await context.close();
  });

  it('finds no way around the policy: no inline script, no framing, no secret in what is served', async () => {
    const answer = await fetch(`${weir.url}/dashboard`);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await answer.text();
    const urls = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(urls.length).toBeGreaterThan(20);
    for (const url of urls) {
      const file = await fetch(weir.url + url);
      expect([url, file.status]).toEqual([url, 200]);
      expect(file.headers.get('cache-control')).toContain('immutable');
      const text = await file.text();
      expect(text).not.toContain(ADMIN_KEY);
      expect(text).not.toMatch(/process\.env|node:fs/);
    }
    const version = /assets\/([0-9a-f]+)\//.exec(html)?.[1];
    for (const path of [
      '../package.json',
      'dashboard/assets.ts',
      'services/keys/secret.ts',
      '%2e%2e/%2e%2e/package.json',
    ]) {
      const other = await fetch(`${weir.url}/dashboard/assets/${version}/${path}`);
      // A path that leads out of the folder is a place of the page, like any other.
      if (other.status === 200) expect(await other.text()).toBe(html);
      else expect(other.status).toBe(404);
    }
  });
});
