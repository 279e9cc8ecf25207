import { parquetReadObjects } from 'hyparquet';
import { afterEach, expect, it } from 'vitest';
import { parseCsv } from '../../src/core/price-csv.ts';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BatchRequest } from '../../src/protocol/batch-request.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { assertInvariants, readEntries, readOutput } from './invariants.ts';
import { ADMIN_KEY, chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = 'unheard-of';

let pools: Pools;
let weir: Weir;

afterEach(async () => {
  await weir?.stop();
  await pools?.stop();
});

/** Amounts of a batch's entries by id, as a format has them; null: none. */
type Amounts = Map<string, bigint | null>;

const exported = (id: string, format: string) =>
  fetch(`${weir.url}/v1/ledger/entries?batch=${id}&format=${format}&limit=1000`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });

async function ofCsv(id: string): Promise<Amounts> {
  const [header = [], ...rows] = parseCsv(await (await exported(id, 'csv')).text());
  const at = (row: readonly string[], name: string) => row[header.indexOf(name)] ?? '';
  for (const row of rows) expect(at(row, 'amount_nano_usd') === '').toBe(at(row, 'unpriced_reason') !== '');
  return new Map(
    rows.map((row) => {
      const amount = at(row, 'amount_nano_usd');
      return [at(row, 'id'), amount === '' ? null : BigInt(amount)];
    }),
  );
}

async function ofJsonLines(id: string): Promise<Amounts> {
  const rows = (await (await exported(id, 'jsonl')).text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LedgerEntryObject);
  return amountsOf(rows);
}

async function ofParquet(id: string): Promise<Amounts> {
  const file = await (await exported(id, 'parquet')).arrayBuffer();
  return new Map((await parquetReadObjects({ file })).map((row) => [String(row.id), row.amount_nano_usd as bigint]));
}

const amountsOf = (entries: readonly LedgerEntryObject[]): Amounts =>
  new Map(entries.map(({ id, amount_nano_usd: nano }) => [id, nano === null ? null : BigInt(nano)]));

const sumOf = (amounts: Amounts) => [...amounts.values()].reduce<bigint>((sum, each) => sum + (each ?? 0n), 0n);

/** That every format tells the same of each entry, and that they sum up to the batch's cost and to that of its lines. */
async function assertExports(id: string): Promise<bigint> {
  const entries = amountsOf(await readEntries(weir, id));
  for (const read of [ofCsv, ofJsonLines, ofParquet]) expect([read.name, await read(id)]).toEqual([read.name, entries]);
  const sum = sumOf(entries);
  const { cost } = await weir.call<BatchObject>(`/v1/batches/${id}`);
  expect(BigInt(cost.amount_nano_usd)).toBe(sum);
  const lines = await readOutput(weir, id);
  expect(lines.reduce((total, { weir: { cost_nano_usd: nano } }) => total + BigInt(nano ?? 0), 0n)).toBe(sum);
  return sum;
}

it('entries without a price, and what priced them later, are told alike by every export, the batch and its lines', async () => {
  pools = await startPools([{ models: [MODEL], rate_500: 0.2 }]);
  const pool = { kind: 'openai', base_url: pools.servers[0]?.baseUrl, api_key: 'sk-x', models: [MODEL] };
  weir = await startWeir({ providers: { pool } });
  const retry = { attempts: 5, on_status_codes: [500] };
  const input = chatLines(30).replaceAll('gpt-4o-mini', MODEL);
  const { id } = await submit(weir, input, { config: { provider: 'pool', model: MODEL, retry } });
  await waitForBatch(weir, id);
  const books = await assertInvariants(weir, id, input);
  expect(books.batch.cost).toMatchObject({ amount_nano_usd: 0, unpriced_entries: 30 });
  expect(books.lines.every(({ weir: { cost_nano_usd: nano } }) => nano === null)).toBe(true);
  expect(await assertExports(id)).toBe(0n);

  const price = { provider: 'openai', model: MODEL, from: '2020-01-01', standard: { input: '0.1', output: '0.7' } };
  await weir.call('/v1/prices', { method: 'POST', body: JSON.stringify(price) });
  const why = { reason: 'the price came late', dry_run: false };
  await weir.call('/v1/ledger/adjustments', { method: 'POST', body: JSON.stringify(why) });
  expect(await assertExports(id)).toBeGreaterThan(0n);
  const entries = await readEntries(weir, id);
  const kinds = entries.map(({ kind }) => kind);
  expect(['reversal', 'correction'].map((kind) => kinds.filter((each) => each === kind).length)).toEqual([30, 30]);
  const { cost } = await weir.call<BatchObject>(`/v1/batches/${id}`);
  expect(cost.unpriced_entries).toBe(0);
  const { data } = await weir.call<{ data: BatchRequest[] }>(`/v1/batches/${id}/requests?limit=100`);
  expect(data.every(({ cost_nano_usd: nano }) => Number(nano) > 0)).toBe(true);
});
