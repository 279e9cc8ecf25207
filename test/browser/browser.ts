import { existsSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { describe, expect } from 'vitest';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Pictures of the pages are for people, and take longer than all that is tested of them: WEIR_TEST_PICTURES=1 makes them. */
const TAKES_PICTURES = process.env.WEIR_TEST_PICTURES === '1';
const PICTURES = join(import.meta.dirname, '../output/dashboard');

/** An installed Chromium; null where there is none. */
const executable = PLACES.find((place) => existsSync(place)) ?? null;

/** A suite that needs a browser; says what is missing where there is none. */
export function describeInBrowser(name: string, body: () => void): void {
  if (executable !== null) describe(name, body);
  else describe.skip(`${name} (skipped: no Chromium here; on Debian: apt-get install chromium)`, body);
}

export function launch(): Promise<Browser> {
  // Tests run as root in containers, where Chromium's own sandbox cannot be set up.
  return chromium.launch({ executablePath: executable ?? '', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** What the page complained of: script errors, and what its security policy refused. */
export interface Complaints {
  list: string[];
}

/** A page of its own context, with everything written to its console kept. */
export async function openPage(
  browser: Browser,
  options: { width?: number; height?: number; theme?: 'light' | 'dark' } = {},
): Promise<{ page: Page; context: BrowserContext; complaints: Complaints }> {
  const { width = 1440, height = 900, theme = 'light' } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, acceptDownloads: true });
  // Below a test's own time, so that a failure names what was waited for.
  context.setDefaultTimeout(12_000);
  const page = await context.newPage();
  const complaints: Complaints = { list: [] };
  page.on('pageerror', (error) => complaints.list.push(String(error)));
  page.on('console', (message) => {
    // A 401 before signing in is how the page learns that nobody is signed in.
    if (message.type() === 'error' && !message.text().includes('401')) complaints.list.push(message.text());
  });
  return { page, context, complaints };
}

/** Signs in through the form and waits for the first page. */
export async function signIn(page: Page, url: string, key: string): Promise<void> {
  await page.goto(`${url}/dashboard`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

/** Waits until the page has been laid out and drawn as it is now; keeps a picture of it where they are wanted. */
export async function drawn(page: Page, name: string, options: { fullPage?: boolean } = {}): Promise<void> {
  if (TAKES_PICTURES) {
    await page.screenshot({ path: join(PICTURES, `${name}.png`), ...options });
    return;
  }
  // What follows the size of an element is told of it with the first frame, and is drawn anew with the second.
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(null)))),
  );
}

/** The same in both themes, of a page that stays as it is: with a dialog open, for instance. */
export async function expectAccessibleInThemes(page: Page, where: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light' });
  await expectAccessible(page, `${where}, light`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expectAccessible(page, `${where}, dark`, COLOUR_RULES);
}

interface Finding {
  id: string;
  impact: string | null;
  nodes: { html: string; failureSummary?: string }[];
}

/** What a theme can break; all else is the same in both. */
export const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

/** Fails on every finding of the accessibility checker, or of the rules given, that is serious or critical. */
export async function expectAccessible(page: Page, where: string, rules?: readonly string[]): Promise<void> {
  // Through the debugger: the page's own policy lets no foreign script in.
  if (await page.evaluate(() => !('axe' in globalThis))) await page.evaluate(axe.source);
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: { type: 'rule', values: rules } }) };
  const findings = (await page.evaluate(async (given) => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<{ violations: unknown[] }> } };
    return (await axe.run(given)).violations;
  }, options)) as Finding[];
  const serious = findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html, failureSummary }) => `${html} ${failureSummary ?? ''}`)
          .join('\n')}`,
    );
  expect(serious, `accessibility of ${where}`).toEqual([]);
}
