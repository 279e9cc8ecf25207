/** What an entry and the dashboard's questions take with ten million entries behind them, and whether the books are exact (goals 9 and 10). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LedgerFigures } from '../../src/protocol/ledger.ts';
import { openStore } from '../../src/store/open-node.ts';
import { openHarness } from '../http/harness.ts';
import { figure, report } from './goals.ts';
import { monthProviders, reconcileMonth } from './ledger-bills.ts';
import { microsecondsOfEntry, microsecondsOfRow } from './ledger-entries.ts';
import { BATCH_LINES, DAY, MONTH_START, writeMonth } from './ledger-month.ts';
import { median } from './table.ts';

const { values } = parseArgs({ options: { entries: { type: 'string', default: '10000000' } } });
const batches = Math.ceil(Number(values.entries) / BATCH_LINES);
const directory = await mkdtemp(join(tmpdir(), 'weir-ledger-'));
const url = `file:${join(directory, 'weir.db')}`;
try {
  await (await openStore({ url })).close();
  const begun = performance.now();
  const month = await writeMonth(url, batches);
  console.log(`${figure(month.entries)} entries written in ${figure((performance.now() - begun) / 1000)} s`);
  const store = await openStore({ url });
  const harness = await openHarness({ store, providers: monthProviders() });

  const ask = async (path: string) => {
    const answer = await harness.send('GET', path);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { data: (LedgerFigures & { provider?: string })[] };
  };
  const byProvider = await ask('/v1/ledger/summary?group_by=provider');
  const exact = byProvider.data.every((row) => BigInt(row.amount_nano_usd) === month.amounts.get(row.provider ?? ''));
  const entries = byProvider.data.reduce((sum, row) => sum + row.entries, 0);

  const time = async (path: string) => {
    const runs: number[] = [];
    for (let run = 0; run < 7; run++) {
      const start = performance.now();
      await ask(path);
      runs.push(performance.now() - start);
    }
    return median(runs);
  };
  const middle = MONTH_START + 15 * DAY;
  const odd = middle + 1_234;
  const batch = `batch_${String(Math.floor(batches / 2)).padStart(6, '0')}`;
  const cases: [what: string, limit: number, path: string][] = [
    [
      'overview: a month by day and provider',
      10,
      `from=${MONTH_START}&to=${MONTH_START + 30 * DAY}&group_by=day,provider`,
    ],
    ['overview: all by provider and model', 10, 'group_by=provider,model'],
    ['overview: all by tag', 10, 'group_by=tag:team'],
    ['a day by hour and model', 60, `from=${middle}&to=${middle + DAY}&group_by=hour,model`],
    ['24 hours from any second, by hour and key', 60, `from=${odd}&to=${odd + DAY}&group_by=hour,key`],
    ['a month from any second, by provider', 60, `from=${MONTH_START + 77}&to=${odd}&group_by=provider`],
    ['a day of one tag, by hour', 60, `from=${middle}&to=${middle + DAY}&tag=team:ads&group_by=hour`],
  ];
  const rows = [];
  for (const [what, limit, query] of cases) rows.push({ what, limit, ms: await time(`/v1/ledger/summary?${query}`) });
  rows.push({ what: 'a batch of 20,000 by target', limit: 15, ms: await time(`/v1/batches/${batch}/ledger`) });
  rows.push({ what: 'the last 50 entries', limit: 15, ms: await time('/v1/ledger/entries?limit=50') });
  const books = await reconcileMonth(harness, month.bills);
  const entryUs = await microsecondsOfEntry(store);
  const rowUs = await microsecondsOfRow(url);
  report([
    {
      goal: 9,
      what: 'a ledger entry, with indices and rollups, durable',
      yardstick: `${figure(month.entries)} entries; a bare insert of such rows ${figure(rowUs, 1)} µs`,
      figure: `${figure(entryUs, 1)} µs`,
      wanted: '≤ 10 µs',
      met: entryUs <= 10,
    },
    ...rows.map(({ what, limit, ms }) => ({
      goal: 10,
      what,
      yardstick: `${figure(month.entries)} entries`,
      figure: `${figure(ms, 1)} ms`,
      wanted: `≤ ${limit} ms`,
      met: ms <= limit,
    })),
    {
      goal: 10,
      what: 'a month, five providers, prices changing: sums',
      yardstick: 'worked out apart, to the nano-dollar',
      figure: exact && entries === month.entries ? 'equal' : 'DIFFERENT',
      wanted: 'equal',
      met: exact && entries === month.entries,
    },
    {
      goal: 10,
      what: 'the same month beside five bills, by day and model',
      yardstick: `unexplained nano-USD; ${figure(books.ms, 0)} ms`,
      figure: String(books.unexplained),
      wanted: '0',
      met: books.unexplained === 0n && books.isExact,
    },
  ]);
  await harness.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
