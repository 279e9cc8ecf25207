import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import { providerRates } from '../../src/services/ledger/provider-rates.ts';

const deps = { prices: compilePrices(priceFiles), ownPrices: new Map() };
const openai = { name: 'o', priceProvider: 'openai' };
const at = Date.UTC(2026, 11, 1) / 1000;

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
