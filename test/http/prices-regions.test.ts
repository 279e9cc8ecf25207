import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compilePrices } from '../../src/core/price-book.ts';
import { type PriceCreated, type PriceObject, priceChangesSchema, pricePageSchema } from '../../src/protocol/price.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

const row = (input: string, more: object = {}) => ({ from: '2026-08-01', ...more, standard: { input, output: '9' } });
const head = { version: 'list-1', currency: 'USD', source: 'a list', verified_on: '2026-09-01' };
const files = [
  {
    ...{ ...head, provider: 'bedrock' },
    models: { m: { prices: [row('1'), row('1.1', { region: ['eu-1', 'eu-2'] }), row('1.2', { region: 'ap-1' })] } },
  },
  {
    ...{ ...head, provider: 'vertex' },
    models: { 'gemini-3.5-flash': { prices: [row('1.65'), row('1.4', { region: 'global' })] } },
  },
];

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness({ prices: new Map(compilePrices(files)), priceFiles: files });
});
afterEach(() => harness.close());

/** The harness's clock stands at 2026-09-21T14:13:20Z. */
function state(change: object) {
  const json = {
    provider: 'bedrock',
    model: 'm',
    from: '2026-09-22',
    standard: { input: '2', output: '9' },
    ...change,
  };
  return harness.send('POST', '/v1/prices', { json });
}

describe('prices of regions', () => {
  it('are listed with the regions they hold in, and stated for one or for several', async () => {
    const list = async () =>
      pricePageSchema.parse(await (await harness.send('GET', '/v1/prices?provider=bedrock')).json()).data;
    const shown = ({ region, standard }: PriceObject) => [region, standard?.input];
    expect((await list()).map(shown)).toEqual(
      expect.arrayContaining([
        [null, '1'],
        [['eu-1', 'eu-2'], '1.1'],
        ['ap-1', '1.2'],
      ]),
    );
    const stated = await state({ region: ['eu-2', 'us-9'] });
    expect(stated.status).toBe(200);
    expect(((await stated.json()) as PriceCreated).region).toEqual(['eu-2', 'us-9']);
    for (const region of ['us-9', ['eu-2'], ['ap-1', 'us-9']]) {
      const taken = await state({ region });
      expect([region, taken.status, (await errorOf(taken)).code]).toEqual([region, 409, 'price_exists']);
    }
    expect((await state({ region: 'ap-1' })).status).toBe(200);
    for (const region of ['', [], [''], 7]) {
      expect((await errorOf(await state({ region, model: 'other' }))).param, JSON.stringify(region)).toMatch(/^region/);
    }
  });

  it('are not rewritten where one holds, in any of the regions that are named', async () => {
    const past = await state({ from: '2026-09-20', region: ['us-9', 'eu-1'] });
    expect([past.status, (await errorOf(past)).code]).toEqual([409, 'price_in_effect']);
  });

  it('are lost to a price without a region, which says so before it is stated', async () => {
    const answer = (await (await state({ dry_run: true })).json()) as PriceCreated;
    expect(answer.warnings).toEqual([
      'Regions have prices of their own (ap-1, eu-1, eu-2); the new price takes the place of theirs too.',
    ]);
    expect(((await (await state({ dry_run: true, region: 'eu-1' })).json()) as PriceCreated).warnings).toEqual([]);
  });

  it('are compared with another list where a global endpoint has its own, and followed there', async () => {
    const answer = await harness.send('GET', '/v1/prices/diff?provider=vertex');
    const { data, source } = priceChangesSchema.parse(await answer.json());
    expect(source).toBe('@pydantic/genai-prices');
    expect(data).toMatchObject([
      {
        ...{ provider: 'vertex', model: 'gemini-3.5-flash' },
        fields: expect.arrayContaining([{ name: 'standard.input', before: '1.4', after: '1.5' }]),
        successor: { region: 'global', standard: { input: '1.5' } },
      },
    ]);
    const { secret } = await harness.makeKey({ tenant_id: 'b' });
    expect((await harness.send('GET', '/v1/prices/diff', { key: secret })).status).toBe(403);
    expect((await harness.send('GET', '/v1/prices/diff?providr=vertex')).status).toBe(400);
  });
});
