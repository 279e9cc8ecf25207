import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPriceCsv } from '../../src/core/price-csv.ts';
import { compareWithHeld, decimalOf, type PriceChange } from '../../src/core/price-import.ts';
import type { LedgerAdjustment } from '../../src/protocol/ledger.ts';
import type { PriceObject, PriceResolutionObject } from '../../src/protocol/price.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type CliServer, startCliServer } from './cli-server.ts';

let server: CliServer;
beforeAll(async () => {
  server = await startCliServer();
});
afterAll(() => server.stop());

interface List<T> {
  data: T[];
}

const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);

async function csv(name: string, text: string): Promise<string> {
  const path = join(server.folder, name);
  await writeFile(path, text);
  return path;
}

describe('weir prices', () => {
  it('lists prices in 80 columns, and every model of the config with the price it gets and why', async () => {
    const ran = await server.run(['prices', 'list', '--provider', 'bedrock']);
    expect(ran.out).toMatch(/^PROVIDER +MODEL +FROM +(UNTIL +)?IN +OUT +BATCH IN +ORIGIN\n/);
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    const check = await server.json<List<PriceResolutionObject>>(['prices', 'check'], 1);
    const why = (model: string) => check.data.find((each) => each.model === model);
    expect(why('fast-model')).toMatchObject({ resolved_by: 'config', unpriced_reason: null });
    expect(why('broken-model')?.unpriced_reason).toBe('no_price: broken/broken-model');
    expect((await server.run(['prices', 'check'])).out).toMatch(/\n2 models without a price/);
  });

  it('shows what a price list has otherwise, and states it from a day on when told to', async () => {
    const path = await csv(
      'list.csv',
      'provider,model,input,output,batch_input,batch_output\r\nopenai,gpt-4o-mini,0.3,0.6,,\nopenai,"new, model",1,2,0.5,1\n',
    );
    const diff = await server.json<List<PriceChange>>(['prices', 'diff', path], 1);
    expect(diff.data).toMatchObject([
      { model: 'gpt-4o-mini', fields: [{ name: 'standard.input', before: '0.15', after: '0.3' }] },
      { model: 'new, model', fields: [{ before: null }, { before: null }, { before: null }, { before: null }] },
    ]);
    const from = ['--from', tomorrow];
    expect((await server.run(['prices', 'import', path])).exitCode).toBe(2);
    expect((await server.run(['prices', 'import', path, ...from])).out).toMatch(
      /2 prices would be stated from .* --apply does it/,
    );
    const stated = () =>
      server.json<List<PriceObject>>([
        'prices',
        'list',
        '--provider',
        'openai',
        '--model',
        'gpt-4o-mini',
        '--at',
        tomorrow,
      ]);
    expect((await stated()).data[0]?.origin).toBe('list');
    expect((await server.run(['prices', 'import', path, ...from, '--apply'])).exitCode).toBe(0);
    // The batch price was half of every standard rate, and is again; rates that the list does not name stay.
    expect((await stated()).data).toMatchObject([
      {
        ...{ origin: 'stated', from: tomorrow, source: 'imported from list.csv' },
        ...{
          standard: { input: '0.3', output: '0.6', cached_input: '0.075' },
          batch: { input: '0.15', output: '0.3' },
        },
      },
    ]);
    const again = await server.run(['prices', 'import', path, ...from, '--apply']);
    expect([again.exitCode, again.out]).toEqual([1, expect.stringContaining('never overwritten')]);
  });

  it('compares with genai-prices and finds what the shipped lists were checked against', async () => {
    const diff = await server.json<List<PriceChange>>(['prices', 'diff', '--provider', 'anthropic'], 0);
    expect(diff.data).toEqual([]);
  });

  it('names every line of a list that cannot be read', async () => {
    const ran = await server.run([
      'prices',
      'diff',
      await csv('bad.csv', 'provider,model,input,output,colour\na,b,1e3,,red\n'),
    ]);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toContain('line 1: there is no rate colour');
    expect(ran.notes).toContain('line 2: input must be a decimal with at most nine decimals, not 1e3');
    expect(ran.notes).toContain('line 2: output is missing');
  });
});

describe('weir adjust', () => {
  it('shows what would change unless told to do it, and needs a reason', async () => {
    expect((await server.run(['adjust'])).exitCode).toBe(2);
    const found = await server.json<LedgerAdjustment>(['adjust', '--reason', 'a test']);
    expect(found).toMatchObject({ dry_run: true, adjusted: 0 });
    expect((await server.run(['adjust', '--reason', 'a test', '--apply'])).out).toMatch(/0 adjusted/);
  });
});

describe('a price list beside the prices that hold', () => {
  const held = { provider: 'p', model: 'm', standard: { input: '1.0', output: '4' }, batch: null, tiers: [] };
  const listed = (standard: Record<string, string>) => ({ provider: 'p', model: 'm', standard });

  it('differs by amount, not by spelling', () => {
    expect(compareWithHeld(listed({ input: '1', output: '4.00' }), held)).toBeNull();
    expect(compareWithHeld(listed({ input: '1.1', output: '4' }), held)?.fields).toEqual([
      { name: 'standard.input', before: '1.0', after: '1.1' },
    ]);
  });

  it('gives no successor where it cannot tell tiers or the batch price', () => {
    const tiered = { ...held, tiers: [{ above_input_tokens: 200_000, standard: { input: '2', output: '6' } }] };
    expect(compareWithHeld(listed({ input: '2', output: '4' }), tiered)).toMatchObject({
      successor: null,
      notes: [expect.stringContaining('context tiers')],
    });
    const odd = { ...held, batch: { input: '0.7', output: '4' } };
    expect(compareWithHeld(listed({ input: '2', output: '4' }), odd)).toMatchObject({
      successor: { standard: { input: '2', output: '4' } },
      notes: [expect.stringContaining('no plain part')],
    });
  });

  it('reads the decimal that floating point stands for, and nothing finer', () => {
    const prices = [3.4499999999999997, 2.1790000000000003, 0.1 + 0.2, 1e-7, 0, 15, 1e-10, Number.NaN, -1];
    expect(prices.map(decimalOf)).toEqual(['3.45', '2.179', '0.3', '0.0000001', '0', '15', null, null, null]);
  });

  it('reads quoted cells, other line ends and a byte order mark', () => {
    const { prices, problems } = readPriceCsv('\ufeffprovider,model,input,output\n"p","a ""b"", c",1,2\r\n\r\np,d,3,4');
    expect(problems).toEqual([]);
    expect(prices.map(({ model }) => model)).toEqual(['a "b", c', 'd']);
    expect(readPriceCsv('').problems).toEqual(['the file is empty']);
  });
});
