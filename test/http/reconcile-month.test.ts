/** A month of five providers whose prices change in between, in the books and beside their bills. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-node.ts';
import { monthProviders, reconcileMonth } from '../bench/ledger-bills.ts';
import { MONTH_START, type Month, writeMonth } from '../bench/ledger-month.ts';
import { entryRow } from '../contract/store/subject.ts';
import { type Harness, openHarness } from './harness.ts';

/** Batches of 20,000 entries: five providers, at times spread over the month, before and after every change of prices. */
const BATCHES = 15;

describe('a month of 300,000 entries', () => {
  let directory: string;
  let month: Month;
  let harness: Harness;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weir-month-'));
    const url = `file:${join(directory, 'weir.db')}`;
    await (await openStore({ url })).close();
    month = await writeMonth(url, BATCHES);
    harness = await openHarness({ store: await openStore({ url }), providers: monthProviders() });
  }, 120_000);
  afterAll(async () => {
    await harness.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('reconciles with five bills to the nano-dollar: what differs is rounding, day by day', async () => {
    const { unexplained, isExact, found } = await reconcileMonth(harness, month.bills);
    expect({ unexplained, isExact, bills: found.length }).toEqual({ unexplained: 0n, isExact: true, bills: 5 });
    const ledger = found.map(({ ledger_nano_usd: nano }) => BigInt(nano));
    expect(ledger).toEqual([...month.bills.keys()].map((provider) => month.amounts.get(provider)));
    const rows = found.flatMap(({ data }) => data);
    expect(new Set(rows.map(({ cause }) => cause))).toEqual(new Set(['rounding']));
    expect(rows.reduce((total, row) => total + (row.ledger?.entries ?? 0), 0)).toBe(month.entries);
  });

  it('shows one entry too many, to the nano-dollar, on its day', async () => {
    const [provider = ''] = month.bills.keys();
    const extra = { provider, model: 'mini', createdAt: MONTH_START + 60, amountNano: 1_234_567, listAmountNano: null };
    await harness.deps.store.ledger.append([entryRow({ ...extra, batchId: null, line: null, inputTokens: 7 })]);
    const before = month.bills.get(provider)?.get('2026-10-01');
    const { found } = await reconcileMonth(harness, month.bills);
    const row = found.flatMap(({ data }) => data).find(({ cause }) => cause === 'usage');
    expect(row).toMatchObject({ day: '2026-10-01', ledger: { input_tokens: (before?.inputTokens ?? 0) + 7 } });
    const rounding = BigInt(row?.difference_nano_usd ?? 0) + 1_234_567n;
    expect(rounding < 20_000n && rounding > -20_000n).toBe(true);
  });
});
