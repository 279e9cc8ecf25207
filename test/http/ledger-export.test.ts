import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ExportColumn, usageColumn } from '../../src/core/export-columns.ts';
import { usageBuckets } from '../../src/core/usage.ts';
import { parquetBytes } from '../../src/http/parquet.ts';
import { type LedgerEntryObject, ledgerEntrySchema, ledgerFiguresSchema } from '../../src/protocol/ledger.ts';
import { exportSchemaSchema } from '../../src/protocol/ledger-export.ts';
import { entryRow } from '../contract/store/subject.ts';
import { type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const NOON = Date.parse('2026-09-21T12:00:00Z') / 1000;
const big = Number.MAX_SAFE_INTEGER;

const get = (query: string, headers: Record<string, string> = {}) => harness.send('GET', query, { headers });

async function readParquet(answer: Response): Promise<Record<string, unknown>[]> {
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/vnd.apache.parquet');
  const file = await answer.arrayBuffer();
  return parquetReadObjects({ file, utf8: false });
}

const text = (value: unknown) => (value instanceof Uint8Array ? new TextDecoder().decode(value) : value);

describe('a Parquet export', () => {
  it('holds what the JSON holds, each column in its own type', async () => {
    await harness.deps.store.ledger.append([
      entryRow({ tenantId: 'default', createdAt: NOON, usage: { input_tokens: 10, reasoning_tokens: 5 } }),
      entryRow({ tenantId: 'default', createdAt: NOON + 1, line: 2, amountNano: big, listAmountNano: -big }),
      entryRow({
        tenantId: 'default',
        createdAt: NOON + 2,
        batchId: null,
        line: null,
        customId: 'ünï\n"\u2028',
        usage: null,
        rawUsage: null,
        rates: null,
        tags: null,
        amountNano: null,
        listAmountNano: null,
        unpricedReason: 'no_price: llama',
        estimated: true,
      }),
    ]);
    const json = (await (await get('/v1/ledger/entries?order=asc')).json()) as { data: LedgerEntryObject[] };
    const rows = await readParquet(await get('/v1/ledger/entries?order=asc&format=parquet'));
    expect(rows).toHaveLength(3);
    for (const [index, row] of rows.entries()) {
      const entry = json.data[index] as LedgerEntryObject;
      expect(row.created_at).toEqual(new Date(entry.created_at * 1000));
      for (const name of ['amount_nano_usd', 'list_amount_nano_usd', 'line', 'status_code'] as const) {
        expect([name, row[name]]).toEqual([name, entry[name] === null ? null : BigInt(entry[name])]);
      }
      for (const name of ['id', 'custom_id', 'provider', 'unpriced_reason', 'batch_id'] as const) {
        expect([name, text(row[name])]).toEqual([name, entry[name]]);
      }
      for (const name of ['tags', 'usage', 'raw_usage', 'rates'] as const) {
        expect([name, row[name]]).toEqual([name, entry[name]]);
      }
      expect(row.estimated).toBe(entry.estimated);
      for (const bucket of usageBuckets) {
        const count = entry.usage?.[bucket];
        expect(row[usageColumn(bucket)]).toBe(count === undefined ? null : BigInt(count));
      }
    }
    // This reader makes floating point of decimals; the file holds whole nano-dollars.
    const [small, large, unknown] = rows.map((row) => row.amount_usd);
    expect(Math.round(Number(small) * 1e9)).toBe(1_000);
    expect(large).toBeCloseTo(big / 1e9, 6);
    expect(unknown).toBeNull();
  });

  it('comes by the Accept header, of no entries at all too, and not for a wrong cursor', async () => {
    const accept = { accept: 'application/vnd.apache.parquet' };
    expect(await readParquet(await get('/v1/ledger/entries', accept))).toEqual([]);
    const wrong = await get('/v1/ledger/entries?format=parquet&after=entry_none');
    expect(wrong.status).toBe(404);
  });

  it('of sums holds the groups and exact figures', async () => {
    await harness.deps.store.ledger.append([
      entryRow({ tenantId: 'default', createdAt: NOON, amountNano: big, listAmountNano: big }),
      entryRow({ tenantId: 'default', createdAt: NOON + 1, line: 2, amountNano: big, listAmountNano: big }),
    ]);
    const [row, ...others] = await readParquet(await get('/v1/ledger/summary?group_by=day,provider&format=parquet'));
    expect(others).toEqual([]);
    expect(row).toMatchObject({ day: new Date('2026-09-21'), entries: 2n, amount_nano_usd: 2n * BigInt(big) });
    expect(text(row?.provider)).toBe('pool');
  });

  it('is written in row groups, of which memory holds one', async () => {
    const columns: ExportColumn[] = [
      { name: 'place', type: 'int64', nullable: false, description: '' },
      { name: 'name', type: 'string', nullable: true, description: '' },
    ];
    const total = 25_000;
    let given = 0;
    const waiting: number[] = [];
    async function* pages() {
      for (let start = 0; start < total; start += 500) {
        given += 500;
        yield Array.from({ length: 500 }, (_, n) => ({ place: start + n, name: n % 7 === 0 ? null : `n-${n}` }));
      }
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of parquetBytes(columns, pages())) {
      pieces.push(piece);
      waiting.push(given);
    }
    // What is read so far goes out before more is read: a file that is whole in memory would be given at the end.
    expect(waiting.slice(0, 3)).toEqual([10_000, 10_000, 20_000]);
    const file = await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer();
    const { num_rows, row_groups } = parquetMetadata(file);
    expect(num_rows).toBe(BigInt(total));
    expect(row_groups.map((group) => [group.num_rows, group.columns.length])).toEqual([
      [10_000n, 2],
      [10_000n, 2],
      [5_000n, 2],
    ]);
    // Readers leave out groups by their bounds.
    const statistics = row_groups[1]?.columns[0]?.meta_data?.statistics;
    expect([statistics?.min_value, statistics?.max_value]).toEqual([10_000n, 19_999n]);
    const rows = await parquetReadObjects({ file });
    expect(rows.map((row) => Number(row.place))).toEqual(Array.from({ length: total }, (_, place) => place));
    expect(rows.slice(-2)).toEqual([
      { place: 24_998n, name: 'n-498' },
      { place: 24_999n, name: 'n-499' },
    ]);
  });

  it('begins a row group early where rows are long', async () => {
    const columns: ExportColumn[] = [{ name: 'text', type: 'string', nullable: false, description: '' }];
    const rows = Array.from({ length: 60 }, (_, n) => ({ text: String(n % 10).repeat(1024 * 1024) }));
    const pieces: Uint8Array[] = [];
    for await (const piece of parquetBytes(columns, [rows])) pieces.push(piece);
    const { row_groups } = parquetMetadata(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    expect(row_groups.map((group) => group.num_rows)).toEqual([24n, 24n, 12n]);
  });
});

describe('GET /v1/ledger/export-schema', () => {
  it('names every column of every format, in order, as the files have them', async () => {
    await harness.deps.store.ledger.append([entryRow({ tenantId: 'default', createdAt: NOON })]);
    const { data } = exportSchemaSchema.parse(await (await get('/v1/ledger/export-schema')).json());
    const [entries, sums] = data;
    const names = entries?.columns.map((column) => column.name) ?? [];
    expect(names).toEqual([...Object.keys(ledgerEntrySchema.shape), ...usageBuckets.map(usageColumn)]);
    expect(sums?.columns.map((column) => column.name)).toEqual(
      expect.arrayContaining(['day', 'provider', ...Object.keys(ledgerFiguresSchema.shape)]),
    );
    const csv = await (await get('/v1/ledger/entries?format=csv')).text();
    expect(csv.split('\r\n')[0]?.split(',')).toEqual(names);
    const file = await (await get('/v1/ledger/entries?format=parquet')).arrayBuffer();
    const elements = parquetSchema(parquetMetadata(file)).children.map(({ element }) => element);
    expect(elements.map((element) => element.name)).toEqual(names);
    for (const [index, column] of (entries?.columns ?? []).entries()) {
      const element = elements[index];
      expect([column.name, column.parquet.split(' ')[0]]).toEqual([column.name, element?.type]);
      expect([column.name, element?.repetition_type]).toEqual([column.name, column.nullable ? 'OPTIONAL' : 'REQUIRED']);
    }
  });

  it('promises null only where the API does', async () => {
    const { data } = exportSchemaSchema.parse(await (await get('/v1/ledger/export-schema')).json());
    for (const { name, nullable } of data[0]?.columns ?? []) {
      const member = (ledgerEntrySchema.shape as Record<string, { isNullable?: () => boolean } | undefined>)[name];
      if (member !== undefined && name !== 'raw_usage') expect([name, nullable]).toEqual([name, member.isNullable?.()]);
    }
  });
});
