import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePrices, findRates, type RatesQuery, replacePrices } from '../../src/core/price-book.ts';
import { priceUsage } from '../../src/core/pricing.ts';
import { compileCard, type PriceMode, priceModeOf } from '../../src/core/rates.ts';
import { totalInput } from '../../src/core/usage.ts';
import { at, autumn, file, found, query, row } from './price-files.ts';

describe('findRates', () => {
  it('has one price for several regions, and none where an answer was billed in one that the list does not name', () => {
    const rows = [row('2026-01-01', '2'), row('2026-01-01', '3', { region: ['eu-1', 'eu-2'] })];
    const book = compilePrices([file({ m: { prices: rows } })]);
    const inputIn = (region?: string) => found(book, query('m', { region })).rates;
    expect(inputIn('eu-2')).toMatchObject({ input: 3_000_000_000, region: 'eu-2' });
    expect(inputIn('eu-1')).toMatchObject({ input: 3_000_000_000, region: 'eu-1' });
    expect(inputIn('us-1').input).toBe(2_000_000_000);
    expect(inputIn('us-1').region).toBeUndefined();
    const billed = (region: string) => findRates(book, query('m', { region, isRegionBilled: true }));
    expect(billed('eu-1')).toMatchObject({ rates: { input: 3_000_000_000 } });
    expect(billed('us-1')).toEqual({ unpriced: 'no_price_for_region: p/m in us-1' });
    const own = { ...file({ m: { prices: [row('2026-02-01', '1')] } }, 'own'), is_own: true };
    const withOwn = compilePrices([file({ m: { prices: rows } }), own]);
    expect(findRates(withOwn, query('m', { region: 'us-1', isRegionBilled: true }))).toMatchObject({
      rates: { input: 1_000_000_000 },
    });
  });

  it('answers the same whatever was asked before, and of prices that were replaced no more', () => {
    const rows = [
      row('2026-01-01', '2', { batch: { input: '1', output: '4' } }),
      row('2026-01-01', '3', {
        region: 'eu-1',
        tiers: [{ above_input_tokens: 10, standard: { input: '6', output: '9' } }],
      }),
      row('2026-09-01', '5'),
    ];
    const files = (more: object = {}) => [
      file({ m: { prices: rows }, n: { prices: [row('2026-01-01', '7')] }, ...more }),
    ];
    const book = compilePrices(files());
    const member = <Value>(...values: Value[]) => fc.constantFrom<Value>(...values);
    const question: fc.Arbitrary<RatesQuery> = fc.record({
      provider: member('p', 'p', 'p', 'q'),
      model: member('m', 'm', 'n', 'x'),
      mode: member<PriceMode>('standard', 'batch'),
      at: member(autumn, at('2026-02-01T00:00:00Z'), at('2025-02-01T00:00:00Z')),
      inputTokens: member(0, 10, 11),
      region: member(undefined, 'eu-1', 'us-1'),
      isRegionBilled: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(question, { minLength: 2, maxLength: 8 }), (questions) => {
        const answers = questions.map((asked) => findRates(book, asked));
        expect(answers).toEqual(questions.map((asked) => findRates(compilePrices(files()), asked)));
      }),
      { numRuns: 200 },
    );
    expect(found(book, query('n')).rates.input).toBe(7_000_000_000);
    replacePrices(book, compilePrices(files({ n: { prices: [row('2026-01-01', '8')] } })));
    expect(found(book, query('n')).rates.input).toBe(8_000_000_000);
  });

  it('takes the row that holds at the moment of the request, from midnight UTC on', () => {
    const book = compilePrices([
      file({ m: { prices: [row('2026-09-01', '2'), row('2026-10-02', '1'), row('2026-08-01', '4')] } }),
    ]);
    const inputAt = (time: string) => found(book, query('m', { at: at(time) })).rates.input;
    expect(inputAt('2026-08-31T23:59:59Z')).toBe(4_000_000_000);
    expect(inputAt('2026-10-01T23:59:59Z')).toBe(2_000_000_000);
    expect(inputAt('2026-10-02T00:00:00Z')).toBe(1_000_000_000);
  });

  it('has no price before the first row or after the end of the last', () => {
    const book = compilePrices([file({ m: { prices: [row('2026-09-01', '2', { until: '2026-09-10' })] } })]);
    for (const time of ['2026-08-31T23:59:59Z', '2026-09-10T00:00:00Z']) {
      expect(findRates(book, query('m', { at: at(time) }))).toEqual({ unpriced: 'no_price_at_date: p/m' });
    }
    expect(found(book, query('m', { at: at('2026-09-09T23:59:59Z') })).price_version).toBe('v1');
  });

  it('resolves snapshots, aliases and case visibly, and prefers a row of their own', () => {
    const book = compilePrices([
      file({
        'GPT-x': { aliases: ['x-latest'], prices: [row('2026-01-01', '2')] },
        'gpt-x-2026-05-05': { prices: [row('2026-01-01', '3')] },
      }),
    ]);
    const pricedAs = (model: string) => found(book, query(model)).priced_model;
    for (const model of [
      'gpt-x',
      'GPT-X-2026-06-06',
      'gpt-x-20260606',
      'gpt-x@20260606',
      'X-LATEST',
      'gpt-x@default',
    ]) {
      expect(pricedAs(model), model).toBe('GPT-x');
    }
    expect(pricedAs('gpt-x-2026-05-05')).toBe('gpt-x-2026-05-05');
    for (const model of ['gpt-x-mini', 'gpt-x-0606', 'gpt', 'constructor']) {
      expect(findRates(book, query(model)), model).toEqual({ unpriced: `no_price: p/${model}` });
    }
    expect(findRates(book, query('gpt-x', { provider: 'q' }))).toEqual({ unpriced: 'no_price: q/gpt-x' });
  });

  it('does not assume a batch price, and gives the standard one as the list price', () => {
    const batch = { input: '1', output: '4' };
    const book = compilePrices([
      file({ with: { prices: [row('2026-01-01', '2', { batch })] }, without: { prices: [row('2026-01-01', '2')] } }),
    ]);
    const rates = found(book, query('with', { mode: 'batch' }));
    expect(rates.rates).toEqual({
      ...compileCard(batch),
      version: 'v1',
      mode: 'batch',
      tier: 'base',
      priced_model: 'with',
      from: '2026-01-01',
      resolved_by: 'model',
    });
    expect(rates.list_rates).toMatchObject({ input: 2_000_000_000, mode: 'standard' });
    expect(findRates(book, query('without', { mode: 'batch' }))).toEqual({ unpriced: 'no_batch_price: p/without' });
  });

  it('prices by the tier that served, and gives a reason for one without a price', () => {
    const batch = { input: '1', output: '4' };
    const priority = { input: '5', output: '20' };
    const models = { m: { prices: [row('2026-01-01', '2', { batch, priority })] } };
    const plain = compilePrices([file(models)]);
    const asBatch = compilePrices([{ ...file(models), flex_as: 'batch' }]);
    expect(findRates(plain, query('m', { mode: 'flex' }))).toEqual({ unpriced: 'no_flex_price: p/m' });
    expect(found(asBatch, query('m', { mode: 'flex' }))).toMatchObject({
      rates: { input: 1_000_000_000, mode: 'flex' },
      list_rates: { input: 2_000_000_000 },
    });
    expect(found(plain, query('m', { mode: 'priority' })).rates.input).toBe(5_000_000_000);
    expect(findRates(plain, query('m', { mode: 'fast' }))).toEqual({ unpriced: 'no_fast_price: p/m' });
    const words = [undefined, null, 'default', 'auto', 'on_demand', 'flex', 'priority', 'fast', 'scale', 'batch'];
    expect(words.map((word) => priceModeOf(false, word))).toEqual([
      ...['standard', 'standard', 'standard', 'standard', 'standard'],
      ...['flex', 'priority', 'fast', null, null],
    ]);
    expect(priceModeOf(true, 'scale')).toBe('batch');
  });

  it('turns another currency into dollars by the dated rate it states, rounded once a rate, and keeps that rate', () => {
    const euros = { ...file({ m: { prices: [row('2026-01-01', '0.123456789')] } }), currency: 'EUR' };
    expect(() => compilePrices([euros])).toThrow(/prices in EUR need usd_rate/);
    const book = compilePrices([{ ...euros, usd_rate: '1.0835', usd_rate_on: '2026-09-30' }]);
    const { rates } = found(book, query('m'));
    // 0.123456789 x 1.0835 = 0.1337654308815 USD per million.
    expect(rates).toMatchObject({ input: 133_765_431, currency: 'EUR', usd_rate: '1.0835', usd_rate_on: '2026-09-30' });
    expect(() => compilePrices([{ ...file({}), usd_rate: '1', usd_rate_on: '2026-09-30' }])).toThrow(
      /have no usd_rate/,
    );
  });

  it('lets what the operator states go before every list, as long as it holds', () => {
    const list = file({ m: { prices: [row('2026-01-01', '2'), row('2026-09-15', '3')] } });
    const own = { ...file({ m: { prices: [row('2026-08-01', '1', { until: '2026-10-10' })] } }, 'own'), is_own: true };
    const book = compilePrices([own, list]);
    const versionAt = (time: string) => found(book, query('m', { at: at(time) })).price_version;
    expect(
      ['2026-07-31', '2026-08-01', '2026-10-09', '2026-10-10'].map((day) => versionAt(`${day}T12:00:00Z`)),
    ).toEqual([...['v1', 'own', 'own', 'v1']]);
  });

  it('puts the whole request on the tier of its total input: a cliff', () => {
    const tiers = [
      { above_input_tokens: 100, standard: { input: '3', output: '9' } },
      { above_input_tokens: 200, standard: { input: '5', output: '10' }, batch: { input: '2', output: '5' } },
    ];
    const base = { tiers, batch: { input: '1', output: '4' } };
    const book = compilePrices([file({ m: { prices: [row('2026-01-01', '2', base)] } })]);
    const tierAt = (inputTokens: number) => found(book, query('m', { inputTokens })).rates.tier;
    expect([0, 100, 101, 200, 201].map(tierAt)).toEqual(['base', 'base', 'above_100', 'above_100', 'above_200']);
    const usage = { input_tokens: 1, cached_input_tokens: 200, output_tokens: 10 };
    const rates = found(book, query('m', { inputTokens: totalInput(usage) }));
    expect(priceUsage({ usage, ...rates }).amount_nano).toBe(201 * 5_000 + 10 * 10_000);
    const inBatch = (inputTokens: number) => findRates(book, query('m', { mode: 'batch', inputTokens }));
    expect(inBatch(101)).toEqual({ unpriced: 'no_batch_price: p/m' });
    expect(inBatch(201)).toMatchObject({ rates: { input: 2_000_000_000 }, list_rates: { input: 5_000_000_000 } });
  });

  it('prefers a row for the hour of the day, and for the region', () => {
    const prices = [
      row('2026-01-01', '1'),
      row('2026-01-01', '2', { hours: ['01:00', '04:00'] }),
      row('2026-01-01', '3', { region: 'eu' }),
    ];
    const book = compilePrices([file({ m: { prices } })]);
    const inputAt = (time: string, region?: string) =>
      found(book, query('m', { at: at(time), ...(region !== undefined && { region }) })).rates.input;
    expect(inputAt('2026-10-01T00:59:59Z')).toBe(1_000_000_000);
    expect(inputAt('2026-10-01T01:00:00Z')).toBe(2_000_000_000);
    expect(inputAt('2026-10-01T04:00:00Z', 'us')).toBe(1_000_000_000);
    expect(inputAt('2026-10-01T02:00:00Z', 'eu')).toBe(3_000_000_000);
    const successor = compilePrices([file({ m: { prices: [...prices, row('2026-05-01', '4')] } })]);
    expect(found(successor, query('m', { at: at('2026-10-01T02:00:00Z') })).rates.input).toBe(4_000_000_000);
  });

  it('lets a later file override an earlier one from the same day on', () => {
    const first = file({ m: { aliases: ['n'], prices: [row('2026-01-01', '1'), row('2026-09-01', '3')] } });
    const second = file({ m: { prices: [row('2026-01-01', '2')] }, o: { prices: [row('2026-01-01', '7')] } }, 'mine');
    const book = compilePrices([first, second]);
    expect(found(book, query('m', { at: at('2026-02-01T00:00:00Z') }))).toMatchObject({ price_version: 'mine' });
    expect(found(book, query('m'))).toMatchObject({ price_version: 'v1', rates: { input: 3_000_000_000 } });
    expect(found(book, query('n', { at: at('2026-02-01T00:00:00Z') })).price_version).toBe('mine');
    expect(found(book, query('o')).rates.input).toBe(7_000_000_000);
    const third = file({ n: { prices: [row('2026-01-01', '5')] } }, 'third');
    const split = compilePrices([first, third]);
    const earlyRates = (model: string) => found(split, query(model, { at: at('2026-02-01T00:00:00Z') }));
    expect(earlyRates('n')).toMatchObject({ price_version: 'third', priced_model: 'n' });
    expect(earlyRates('m')).toMatchObject({ price_version: 'v1', priced_model: 'm' });
  });

  it('refuses invalid files and names what is wrong', () => {
    const wrong = file({ m: { prices: [row('2026-01-01', '-1')] } });
    expect(() => compilePrices([wrong])).toThrow(/price file 1 .*models\.m\.prices\.0\.standard\.input/);
    const twice = file({ m: { prices: [row('2026-01-01', '1')] }, M: { prices: [row('2026-01-01', '2')] } });
    expect(() => compilePrices([twice])).toThrow(/names m twice/);
  });
});
