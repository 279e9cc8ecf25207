import { estimateOutput } from '../../core/estimate.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { isPaidByTime } from '../../core/own-price.ts';
import { applyParams } from '../../core/params.ts';
import { priceUsage } from '../../core/pricing.ts';
import { statedOutputLimit } from '../../core/tokens.ts';
import type { Deps } from '../../ports/deps.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { providerRates } from '../ledger/provider-rates.ts';

type PriceDeps = Pick<Deps, 'providers' | 'prices' | 'ownPrices'>;

/** Why a target has no price for single requests or for batches at `at` (Unix seconds); null when it has one. */
export function unpricedReason(deps: PriceDeps, candidate: Candidate, at: number): string | null {
  const provider = deps.providers.get(candidate.provider);
  if (provider === undefined) return null;
  const modes = [
    ...(provider.immediate !== undefined && candidate.mode !== 'batch' ? [false] : []),
    ...(provider.batch !== undefined && candidate.mode !== 'immediate' ? [true] : []),
  ];
  // Where either will do, one that is priced is enough: the other is counted as soon as it has a price.
  const found = modes.map((isBatch) => providerRates(deps, provider, { model: candidate.model, isBatch, at }));
  const [first] = found;
  if (first === undefined || !('unpriced' in first) || found.some((each) => !('unpriced' in each))) return null;
  return `${targetName(candidate)}: ${first.unpriced}`;
}

/**
 * What one request may come to at the dearest of its targets, in nano-USD; `tokens` as core/tokens.ts estimates them. `isBatch`:
 * in a provider batch.
 * What has no price, or is paid by its time, adds nothing.
 */
export function upperBound(
  deps: PriceDeps,
  candidates: readonly Candidate[],
  { request, tokens }: { request: RequestLine; tokens: number },
  at: number,
  isBatch = false,
): number {
  const input = tokens - statedOutputLimit(request.body);
  return candidates.reduce((most, { provider: name, model, params }) => {
    const provider = deps.providers.get(name);
    if (provider === undefined || isPaidByTime(deps.ownPrices.get(name), model)) return most;
    const body = applyParams(request.body, params);
    const { service_tier: tier } = body;
    // A limit that was raised for another try stands in the request.
    const output = Math.max(...[request.body, body].map((each) => estimateOutput(request.endpoint, each).high));
    const usage = { input_tokens: input, output_tokens: output };
    // A dearer tier may be asked for, and need not be given.
    const tiers = typeof tier === 'string' ? [null, tier] : [null];
    const amounts = tiers.map((servedTier) => {
      const found = providerRates(deps, provider, { model, isBatch, servedTier, at, inputTokens: input });
      if ('unpriced' in found) return 0;
      return priceUsage({ usage, rates: found.rates, list_rates: found.list_rates }).amount_nano ?? 0;
    });
    return Math.max(most, ...amounts);
  }, 0);
}
