import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { compileOwnPrice, findOwnRates, gpuSecondRate, ownPriceSchema } from '../../src/core/own-price.ts';
import { compilePrices, findRates, type RatesQuery, type Unpriced } from '../../src/core/price-book.ts';
import { compileCard, type FoundRates, type PriceCard, priceFileSchema } from '../../src/core/rates.ts';

const minimal = {
  provider: 'p',
  version: 'v1',
  currency: 'USD',
  source: 'test',
  verified_on: '2026-08-21',
  models: { m: { prices: [{ from: '2026-08-21', standard: { input: '1', output: '2' } }] } },
};

function withRow(row: object): unknown {
  const standard = { input: '1', output: '2' };
  return { ...minimal, models: { m: { prices: [{ from: '2026-08-21', standard, ...row }] } } };
}

function foundRates(result: FoundRates | Unpriced): FoundRates {
  if ('unpriced' in result) throw new Error(result.unpriced);
  return result;
}

describe('price file schema', () => {
  it('accepts a minimal file and one with everything', () => {
    const card = { input: '1', output: '2' };
    const full = {
      until: '2026-09-01',
      hours: ['01:00', '04:30'],
      region: 'eu',
      batch: { ...card, cached_input: '0.000000001' },
      tiers: [{ above_input_tokens: 200_000, standard: card, batch: card }],
    };
    expect(priceFileSchema.safeParse(minimal).error).toBeUndefined();
    expect(priceFileSchema.safeParse(withRow(full)).error).toBeUndefined();
  });

  it('refuses numbers, signs, excess decimals, unknown fields, impossible days and other currencies', () => {
    const refused = [
      withRow({ standard: { input: 1, output: '2' } }),
      withRow({ standard: { input: '-1', output: '2' } }),
      withRow({ standard: { input: '0.0000000001', output: '2' } }),
      withRow({ standard: { input: '1e3', output: '2' } }),
      withRow({ standard: { input: '1' } }),
      withRow({ standard: { input: '1', output: '2', inptu: '1' } }),
      withRow({ from: '2026-02-30' }),
      withRow({ from: '21.8.2026' }),
      withRow({ until: '2026-08-21' }),
      withRow({ hours: ['04:00', '01:00'] }),
      withRow({ tiers: [] }),
      withRow({ turbo: { input: '1', output: '2' } }),
      { ...minimal, currency: 'EUR' },
      { ...minimal, models: { m: { prices: [] } } },
    ];
    for (const file of refused) expect(priceFileSchema.safeParse(file).success, JSON.stringify(file)).toBe(false);
  });
});

describe('the price files that come with Weir', () => {
  const files = priceFiles.map((file) => priceFileSchema.parse(file));

  it('are all valid and all listed', () => {
    const names = readdirSync(new URL('../../config/prices', import.meta.url)).filter((name) => name.endsWith('.json'));
    expect(files.map((file) => `${file.provider}.json`).sort()).toEqual(names.sort());
  });

  it('never charge more for cached input than for input, nor more in a batch than in real time', () => {
    const check = (name: string, card: PriceCard, ceiling: PriceCard) => {
      const rates = compileCard(card);
      const limits = compileCard(ceiling);
      expect(rates.cached_input ?? 0, `${name} cached_input`).toBeLessThanOrEqual(rates.input ?? -1);
      expect(rates.cache_write ?? Number.MAX_VALUE, `${name} cache_write`).toBeGreaterThanOrEqual(rates.input ?? -1);
      expect(rates.input, `${name} input`).toBeLessThanOrEqual(limits.input ?? -1);
      expect(rates.output, `${name} output`).toBeLessThanOrEqual(limits.output ?? -1);
    };
    for (const { provider, models } of files) {
      for (const [model, { prices }] of Object.entries(models)) {
        for (const row of prices) {
          for (const tier of [row, ...(row.tiers ?? [])]) {
            check(`${provider}/${model}`, tier.standard, tier.standard);
            if (tier.batch) check(`${provider}/${model} batch`, tier.batch, tier.standard);
          }
        }
      }
    }
  });

  it('are free only where text moderation is', () => {
    const free = files.flatMap(({ provider, models }) =>
      Object.entries(models)
        .filter(([, { prices }]) => prices.some((row) => Number(row.standard.input) === 0))
        .map(([model]) => `${provider}/${model}`),
    );
    expect(free).toEqual(['openai/omni-moderation-2024-09-26', 'openai/omni-moderation-latest']);
  });
});

describe('the rates found in them', () => {
  const shipped = compilePrices(priceFiles);
  const autumn = Date.parse('2026-10-01T12:00:00Z') / 1000;
  const shippedRates = (provider: string, model: string, more: Partial<RatesQuery> = {}) =>
    foundRates(findRates(shipped, { provider, model, mode: 'standard', at: autumn, ...more }));

  it('know the models of the example configuration', () => {
    expect(shippedRates('openai', 'gpt-4o-mini').rates).toMatchObject({ input: 150_000_000, output: 600_000_000 });
    expect(shippedRates('azure', 'gpt-4o-mini', { mode: 'batch' }).rates).toMatchObject({ input: 75_000_000 });
    expect(shippedRates('bedrock', 'us.amazon.nova-lite-v1:0').rates).toMatchObject({ output: 240_000_000 });
  });

  it('have the long-context tier of gpt-5.5 above 272,000 tokens', () => {
    const inputAt = (inputTokens: number) => shippedRates('openai', 'gpt-5.5', { inputTokens }).rates.input;
    expect([inputAt(272_000), inputAt(272_001)]).toEqual([5_000_000_000, 10_000_000_000]);
  });

  it('keep the cache discount of Gemini in a batch instead of halving it', () => {
    const { rates, list_rates } = shippedRates('vertex', 'gemini-2.5-pro', { mode: 'batch' });
    expect(rates).toMatchObject({ input: 625_000_000, cached_input: 125_000_000, output: 5_000_000_000 });
    expect(list_rates.cached_input).toBe(125_000_000);
  });

  it('halve every rate of Anthropic in a batch', () => {
    const { rates, list_rates } = shippedRates('anthropic', 'claude-sonnet-4-5-20250929', { mode: 'batch' });
    expect(rates).toMatchObject({
      cached_input: 150_000_000,
      cache_write: 1_875_000_000,
      cache_write_1h: 3_000_000_000,
    });
    expect(list_rates).toMatchObject({ input: 3_000_000_000, cached_input: 300_000_000 });
  });
});

describe('own prices', () => {
  const find = (price: unknown, model = 'm', mode: 'standard' | 'batch' = 'standard') =>
    findOwnRates(compileOwnPrice(ownPriceSchema.parse(price)), { model, mode });

  it('read numbers and strings as the decimals they were written as', () => {
    const rates = { input: 100_000_000, output: 400_000_000, cached_input: 100, version: 'config', tier: 'base' };
    const why = { priced_model: 'm', resolved_by: 'config' };
    expect(find({ input: 0.1, output: '0.40', cached_input: 1e-7 })).toEqual({
      rates: { ...rates, ...why, mode: 'standard' },
      list_rates: { ...rates, ...why, mode: 'standard' },
      price_version: 'config',
      priced_model: 'm',
    });
  });

  it('hold in every mode unless a batch price is given', () => {
    expect(find({ input: 1, output: 2 }, 'm', 'batch')?.rates).toMatchObject({ input: 1_000_000_000, mode: 'batch' });
    const found = find({ input: 1, output: 2, batch: { input: 0.5, output: 1 } }, 'm', 'batch');
    expect(found?.rates).toMatchObject({ input: 500_000_000, output: 1_000_000_000, mode: 'batch' });
    expect(found?.list_rates).toMatchObject({ input: 1_000_000_000, output: 2_000_000_000, mode: 'standard' });
  });

  it('may be in another currency, with the dated rate by which it becomes dollars', () => {
    const euros = { currency: 'EUR', usd_rate: 1.1, usd_rate_on: '2026-11-01' };
    expect(find({ input: 1, output: 2, ...euros })?.rates).toMatchObject({
      input: 1_100_000_000,
      currency: 'EUR',
      usd_rate: '1.1',
      usd_rate_on: '2026-11-01',
    });
    expect(find({ gpu_hour: 3.6, ...euros })?.rates).toMatchObject({ gpu_second: 1_100_000, currency: 'EUR' });
    expect(ownPriceSchema.safeParse({ input: 1, output: 2, currency: 'EUR' }).success).toBe(false);
    expect(ownPriceSchema.safeParse({ gpu_hour: 1, usd_rate: 2, usd_rate_on: '2026-11-01' }).success).toBe(false);
  });

  it('turn GPU hours into a rate for a second of the whole pool', () => {
    expect(find({ gpu_hour: 2.5, gpus: 4 })?.rates).toMatchObject({ gpu_second: 2_777_778 });
    expect(find({ gpu_hour: '3.6' })?.rates).toMatchObject({ gpu_second: 1_000_000 });
    expect(gpuSecondRate(0, 8)).toBe(0);
  });

  it('may differ by model, and then cover only the models they name', () => {
    const price = { models: { 'Llama-3': { input: 1, output: 1 }, big: { gpu_hour: 2, gpus: 8 } } };
    expect(find(price, 'llama-3')?.rates.input).toBe(1_000_000_000);
    expect(find(price, 'big')?.rates.gpu_second).toBe(4_444_444);
    expect(find(price, 'other')).toBeNull();
  });

  it('are refused when incomplete, mixed, negative, misspelt or finer than a nano-dollar', () => {
    const refused = [
      { input: 1 },
      { input: 1, output: 2, gpu_hour: 3 },
      { input: -1, output: 2 },
      { input: 1, output: 2, cachd_input: 1 },
      { input: 0.1 + 0.2, output: 2 },
      { input: 1e21, output: 2 },
      { gpu_hour: 2.5, gpus: 0 },
      { gpu_hour: Number.NaN },
      { models: { m: { input: 'free', output: 1 } } },
      'free',
    ];
    for (const price of refused) expect(ownPriceSchema.safeParse(price).success, JSON.stringify(price)).toBe(false);
    expect(ownPriceSchema.safeParse({ input: 1 }).error?.issues[0]?.message).toContain('gpu_hour');
  });
});
