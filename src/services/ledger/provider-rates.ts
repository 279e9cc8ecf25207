import type { Provider } from '../../../providers/contract.ts';
import { findRates, type Unpriced } from '../../core/pricing.ts';
import { type FoundRates, findOwnRates } from '../../core/rates.ts';
import type { Deps } from '../../ports/deps.ts';

export interface ProviderRatesQuery {
  /** The name the provider knows the model by. */
  model: string;
  isBatch: boolean;
  /** Unix seconds. */
  at: number;
  /** All input tokens of the request: they decide the context tier. Absent: the base tier. */
  inputTokens?: number;
}

/** What a provider charges for a model: the operator's own price, else the price files, else why there is none. */
export function providerRates(
  deps: Pick<Deps, 'prices' | 'ownPrices'>,
  provider: Pick<Provider, 'name' | 'priceProvider' | 'pricedModel'>,
  query: ProviderRatesQuery,
): FoundRates | Unpriced {
  const model = provider.pricedModel?.(query.model) ?? query.model;
  const own = deps.ownPrices.get(provider.name);
  const ownRates = own && findOwnRates(own, { model, mode: query.isBatch ? 'batch' : 'standard' });
  if (ownRates) return ownRates;
  if (provider.priceProvider === null) return { unpriced: `no_price: ${provider.name}/${model}` };
  return listedRates(deps, provider.priceProvider, { ...query, model });
}

/** The rates of a model in the price files of `priceProvider`, under exactly this name. */
export function listedRates(
  deps: Pick<Deps, 'prices'>,
  priceProvider: string,
  { isBatch, ...query }: ProviderRatesQuery,
): FoundRates | Unpriced {
  return findRates(deps.prices, { ...query, provider: priceProvider, mode: isBatch ? 'batch' : 'standard' });
}
