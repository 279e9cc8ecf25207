import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { anthropic } from '../../providers/anthropic/index.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import { providerRates } from '../../src/services/ledger/provider-rates.ts';

const deps = { prices: compilePrices(priceFiles), ownPrices: new Map() };
const openai = { name: 'o', priceProvider: 'openai' };
const at = Date.UTC(2026, 11, 1) / 1000;

describe('the price of an answer that was billed in a region', () => {
  const claude = anthropic.create('claude', anthropic.settings.parse({ kind: 'anthropic', api_key: 'sk-ant-test' }));
  const asked = { model: 'claude-opus-4-6', isBatch: false, at };
  const usage = { input_tokens: 10, output_tokens: 5 };

  it('is that of the region, and the usual one where inference may run anywhere or nothing is said of it', () => {
    const bound = providerRates(deps, claude, { ...asked, rawUsage: { ...usage, inference_geo: 'us' } });
    expect(bound).toMatchObject({ rates: { input: 5_500_000_000, region: 'us' }, list_rates: { region: 'us' } });
    for (const geo of [undefined, null, 'global', 'not_available']) {
      const usual = providerRates(deps, claude, { ...asked, rawUsage: { ...usage, inference_geo: geo } });
      expect(usual).toMatchObject({ rates: { input: 5_000_000_000 } });
    }
  });

  it('is unknown where no price names the region: never the usual one', () => {
    const rawUsage = { ...usage, inference_geo: 'mars' };
    const reason = 'no_price_for_region: anthropic/claude-opus-4-6 in mars';
    expect(providerRates(deps, claude, { ...asked, rawUsage })).toEqual({ unpriced: reason });
  });
});

describe('the price of an answer that names another model than was asked for', () => {
  it('is that of the model asked for, whatever snapshot of it answered', () => {
    const asked = { model: 'gpt-4o-mini', isBatch: true, at };
    const plain = providerRates(deps, openai, asked);
    expect(providerRates(deps, openai, { ...asked, servedModel: 'gpt-4o-mini-2024-07-18' })).toEqual(plain);
    expect(plain).toMatchObject({ rates: { priced_model: 'gpt-4o-mini', mode: 'batch' } });
  });

  it('is that of the model which answered, where the one asked for is an alias without a price', () => {
    const asked = { model: 'house-model', isBatch: true, at };
    expect(providerRates(deps, openai, asked)).toEqual({ unpriced: 'no_price: openai/house-model' });
    expect(providerRates(deps, openai, { ...asked, servedModel: 'gpt-4o-mini-2024-07-18' })).toMatchObject({
      rates: { priced_model: 'gpt-4o-mini', mode: 'batch', resolved_by: 'served_model' },
    });
    expect(providerRates(deps, openai, { ...asked, servedModel: 'also-unknown' })).toEqual({
      unpriced: 'no_price: openai/house-model',
    });
  });
});
