import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { PriceResolutionObject } from '../../protocol/price.ts';
import { providerRates } from '../ledger/provider-rates.ts';

export interface ResolveQuery {
  /** A provider of the config. */
  provider: string;
  /** The name the provider knows the model by. */
  model: string;
  mode: 'standard' | 'batch' | 'flex' | 'priority' | 'fast';
  at?: number | undefined;
  inputTokens?: number | undefined;
}

/** Which price a request to a provider gets, and why. Throws 400 for a provider that is not configured. */
export function resolvePrice(
  deps: Pick<Deps, 'providers' | 'prices' | 'ownPrices' | 'clock'>,
  query: ResolveQuery,
): PriceResolutionObject {
  const provider = deps.providers.get(query.provider);
  if (provider === undefined) {
    const known = [...deps.providers.keys()].join(', ') || 'none';
    throw new ApiError(400, `There is no provider '${query.provider.slice(0, 64)}'. Configured: ${known}.`, {
      code: 'invalid_value',
      param: 'provider',
    });
  }
  const found = providerRates(deps, provider, {
    model: query.model,
    isBatch: query.mode === 'batch',
    servedTier: query.mode,
    at: query.at ?? unixSeconds(deps.clock),
    ...(query.inputTokens !== undefined && { inputTokens: query.inputTokens }),
  });
  const head = {
    object: 'price.resolution',
    provider: query.provider,
    model: query.model,
    mode: query.mode,
    price_provider: provider.priceProvider,
  } as const;
  if ('unpriced' in found) {
    const none = { priced_model: null, resolved_by: null, price_version: null, rates: null };
    return { ...head, ...none, unpriced_reason: found.unpriced };
  }
  return {
    ...head,
    priced_model: found.priced_model,
    resolved_by: found.rates.resolved_by ?? null,
    price_version: found.price_version,
    rates: { ...found.rates },
    unpriced_reason: null,
  };
}
