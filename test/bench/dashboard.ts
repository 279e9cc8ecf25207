/**
 * How soon each page of the dashboard can be used with a million ledger entries behind it: from the navigation to the
 * page's figures, in Chromium, files cached as on any later visit. `node test/bench/dashboard.ts [entries]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, openPage, signIn } from '../browser/browser.ts';
import { seedLedger } from '../browser/seed.ts';
import { ADMIN_KEY, startWeir } from '../e2e/weir.ts';

const DAYS = 40;
const ROUNDS = 5;
const PLACES = [
  '',
  '?period=90d&by=model',
  '/batches',
  '/ledger',
  '/ledger?view=entries',
  '/routes',
  '/providers',
  '/keys',
  '/budgets',
];

const entries = Number(process.argv[2] ?? 1_000_000);
const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const startedAt = performance.now();
await seedLedger(`file:${join(folder, 'weir.db')}`, {
  now: Math.floor(Date.now() / 1000),
  days: DAYS,
  perDay: Math.round(entries / DAYS / 0.88),
});
const weir = await startWeir({ providers: {} }, { folder });
const { total } = await weir.call<{ total: { entries: number } }>('/v1/ledger/summary');
console.log(`${total.entries} entries, made in ${Math.round((performance.now() - startedAt) / 1000)} s`);
const browser = await launch();
const { page } = await openPage(browser);
await signIn(page, weir.url, ADMIN_KEY);
for (const place of PLACES) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    await page.goto(`${weir.url}/dashboard${place}`, { waitUntil: 'commit' });
    await page.locator('main h1').waitFor();
    await page.waitForFunction(() => document.querySelector('main .skeleton') === null);
    times.push(performance.now() - from);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const median = Math.round(sorted[Math.floor(ROUNDS / 2)] ?? 0);
  console.log(`${(place || '/').padEnd(24)} median ${median} ms, worst ${Math.round(sorted.at(-1) ?? 0)} ms`);
}
await browser.close();
await weir.stop();
await rm(folder, { recursive: true, force: true });
