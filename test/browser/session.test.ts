import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ADMIN_KEY, startWeir, type Weir } from '../e2e/weir.ts';
import { describeInBrowser, launch, openPage, signIn } from './browser.ts';

const ENDED = 'Your session has ended. Sign in to go on where you were.';

describeInBrowser('a session', () => {
  let browser: Browser;
  let weir: Weir;

  beforeAll(async () => {
    weir = await startWeir({ providers: {} });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await weir?.stop();
  });

  const makeKey = (tenant: string) =>
    weir.call<{ id: string; secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: tenant, tenant_id: tenant }),
    });

  /** The page offers to sign in and shows nothing of what was there. */
  async function expectSignedOut(page: Page): Promise<void> {
    await page.getByText(ENDED).waitFor();
    expect(await page.getByRole('navigation').count()).toBe(0);
  }

  it('is begun where the address of the server was typed', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(weir.url);
    await page.getByLabel('API key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('navigation').waitFor();
    expect(new URL(page.url()).pathname).toBe('/dashboard');
    await context.close();
  });

  it('says so where its cookie is gone, and goes on where it was after a new sign-in', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor();
    // As twelve hours do, or a sign-out in another tab.
    await context.clearCookies();
    await page.getByRole('link', { name: 'Ledger' }).click();
    await expectSignedOut(page);
    await page.getByLabel('API key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ledger' }).waitFor();
    expect(await page.getByText(ENDED).count()).toBe(0);
    await context.close();
  });

  it('says so at once where its key was revoked', async () => {
    const { id, secret } = await makeKey('acme');
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, secret);
    await weir.call(`/v1/keys/${id}`, { method: 'DELETE' });
    await expectSignedOut(page);
    await context.close();
  });

  it('is another one where another tab signed in with another key', async () => {
    const { secret } = await makeKey('other');
    const { page, context } = await openPage(browser);
    await signIn(page, weir.url, ADMIN_KEY);
    await page.getByRole('link', { name: 'Keys' }).waitFor();
    const second = await context.newPage();
    await second.goto(`${weir.url}/dashboard`);
    await second.getByRole('button', { name: 'Sign out' }).click();
    await second.getByLabel('API key').fill(secret);
    await second.keyboard.press('Enter');
    await second.getByRole('heading', { name: 'Overview' }).waitFor();
    // A browser without windows hides no tab: what it tells a tab that is looked at again is told here.
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.locator('.side-end').getByText('other').waitFor();
    expect(await page.getByRole('link', { name: 'Keys' }).count()).toBe(0);
    await context.close();
  });
});
