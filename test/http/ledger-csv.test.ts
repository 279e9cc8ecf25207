import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { type Harness, openHarness } from './harness.ts';
import { entry } from './ledger-rows.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

describe('exports', () => {
  it('hold every row as CSV and as JSONL, over many pages', async () => {
    const rows = Array.from({ length: 1_203 }, (_, n) => entry({ line: n + 1, customId: `r-${n}` }));
    await harness.deps.store.ledger.append(rows);
    const csv = await harness.send('GET', '/v1/ledger/entries?order=asc', { headers: { accept: 'text/csv' } });
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.headers.get('content-disposition')).toContain('attachment');
    const lines = (await csv.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(1_204);
    const columns = (lines[0] ?? '').split(',');
    expect(columns.slice(0, 3)).toEqual(['id', 'object', 'created_at']);
    expect(lines.slice(1).map((line) => line.split(',')[columns.indexOf('custom_id')])).toEqual(
      rows.map((row) => row.customId),
    );
    const jsonl = await (await harness.send('GET', '/v1/ledger/entries?order=asc&format=jsonl')).text();
    const entries = jsonl
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as LedgerEntryObject);
    expect(entries.map((shown) => shown.custom_id)).toEqual(rows.map((row) => row.customId));
    const some = await (await harness.send('GET', '/v1/ledger/entries?format=jsonl&limit=600')).text();
    expect(some.trimEnd().split('\n')).toHaveLength(600);
  });

  it('cannot run as formulas in a spreadsheet and break no line', async () => {
    const hostile = ['=1+1', '+cmd|x', '-2+3', '@SUM(A1)', '\tx', '\rx', 'plain,"quoted"\nline', 'u\u2028v'];
    await harness.deps.store.ledger.append(
      hostile.map((customId, n) => entry({ line: n + 1, customId, amountNano: -5 })),
    );
    const csv = await (await harness.send('GET', '/v1/ledger/entries?format=csv&order=asc')).text();
    for (const text of hostile.slice(0, 4)) expect(csv).toContain(`,'${text},`);
    expect(csv).toContain(`,'\tx,`);
    expect(csv).toContain(`,"'\rx",`);
    expect(csv).toContain(',"plain,""quoted""\nline",');
    expect(csv).toContain(',-5,-0.000000005,');
    const jsonl = await (await harness.send('GET', '/v1/ledger/entries?format=jsonl&order=asc')).text();
    expect(jsonl).not.toContain('\u2028');
    expect(jsonl).toContain(String.raw`u\u2028v`);
  });

  it('answer a wrong cursor before the download starts', async () => {
    expect((await harness.send('GET', '/v1/ledger/entries?format=csv&after=entry_none')).status).toBe(404);
  });
});
