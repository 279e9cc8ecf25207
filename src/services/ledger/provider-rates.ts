import type { Provider } from '../../../providers/contract.ts';
import { findOwnRates } from '../../core/own-price.ts';
import { findRates, type Unpriced } from '../../core/price-book.ts';
import { type FoundRates, type PriceResolution, priceModeOf } from '../../core/rates.ts';
import type { Deps } from '../../ports/deps.ts';

export interface ProviderRatesQuery {
  /** The name the provider knows the model by. */
  model: string;
  isBatch: boolean;
  /** The service tier that the answer names; the tier asked for decides nothing. */
  servedTier?: string | null | undefined;
  /** The model that the answer names, for when the one asked for has no price. */
  servedModel?: string | null | undefined;
  /** What the answer reports as used, as it came: it may name the region that is billed. */
  rawUsage?: object | null | undefined;
  /** Unix seconds. */
  at: number;
  /** All input tokens of the request: they decide the context tier. Absent: the base tier. */
  inputTokens?: number | undefined;
}

/** What is to be known of a provider to price what it did. */
export type PricedProvider = Pick<Provider, 'name' | 'priceProvider' | 'pricedModel' | 'priceRegion' | 'billedRegion'>;

/** What a provider charges for a model: the operator's own price, else the price book, else why there is none. */
export function providerRates(
  deps: Pick<Deps, 'prices' | 'ownPrices'>,
  provider: PricedProvider,
  query: ProviderRatesQuery,
): FoundRates | Unpriced {
  const model = provider.pricedModel?.(query.model) ?? query.model;
  const mode = priceModeOf(query.isBatch, query.servedTier);
  const own = deps.ownPrices.get(provider.name);
  const ownRates = own && findOwnRates(own, { model, mode: mode ?? 'standard' });
  if (ownRates) return ownRates;
  if (provider.priceProvider === null) return { unpriced: `no_price: ${provider.name}/${model}` };
  if (mode === null) return { unpriced: `no_price_for_tier: ${String(query.servedTier).slice(0, 40)}` };
  const { at, inputTokens, rawUsage } = query;
  const billedRegion = rawUsage ? (provider.billedRegion?.(rawUsage) ?? null) : null;
  const asked = {
    provider: provider.priceProvider,
    model,
    mode,
    at,
    region: billedRegion ?? provider.priceRegion,
    isRegionBilled: billedRegion !== null,
    inputTokens,
  };
  const found = findRates(deps.prices, asked);
  if (!('unpriced' in found)) return model === query.model ? found : resolvedBy('deployment', found);
  if (!query.servedModel) return found;
  const byServed = findRates(deps.prices, { ...asked, model: query.servedModel });
  return 'unpriced' in byServed ? found : resolvedBy('served_model', byServed);
}

/** Rates resolved before, by those of the price book: every entry of a model then names the same object. */
const resolved = new WeakMap<FoundRates, Map<PriceResolution, FoundRates>>();

function resolvedBy(resolution: PriceResolution, found: FoundRates): FoundRates {
  const known = resolved.get(found) ?? new Map<PriceResolution, FoundRates>();
  resolved.set(found, known);
  const earlier = known.get(resolution);
  if (earlier !== undefined) return earlier;
  const rates = { ...found.rates, resolved_by: resolution };
  const isList = found.list_rates === found.rates;
  const fresh = { ...found, rates, list_rates: isList ? rates : { ...found.list_rates, resolved_by: resolution } };
  known.set(resolution, fresh);
  return fresh;
}
