import { priceUsage } from '../../core/pricing.ts';
import { totalInput } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { AdjustableEntry, Correction } from '../../ports/store-ledger.ts';
import { providerRates } from './provider-rates.ts';

/** In what way an entry is priced otherwise than it was made; what is left out is as it was. */
export interface Otherwise {
  /** A provider of the config. */
  provider?: string | undefined;
  /** The name that provider knows the model by. */
  model?: string | undefined;
  isBatch?: boolean | undefined;
  /** Unix seconds. */
  at?: number | undefined;
}

/**
 * What an entry comes to by the prices known now. Whether a call without an answer was billed is not a question of prices:
 * such an entry stays without an amount, as does one whose provider is configured no longer.
 */
export function repriceEntry(
  deps: Pick<Deps, 'providers' | 'prices' | 'ownPrices'>,
  entry: AdjustableEntry,
  otherwise: Otherwise,
): Omit<Correction, 'entry'> | { unpriced: string } {
  const provider = deps.providers.get(otherwise.provider ?? entry.provider);
  if (provider === undefined) return { unpriced: `no_provider: ${otherwise.provider ?? entry.provider}` };
  if (entry.status === 'unknown') return { unpriced: entry.unpricedReason ?? 'no_answer' };
  const isElsewhere =
    otherwise.provider !== undefined || otherwise.model !== undefined || otherwise.isBatch !== undefined;
  const found = providerRates(deps, provider, {
    model: otherwise.model ?? entry.model,
    isBatch: otherwise.isBatch ?? entry.mode === 'batch',
    // Tier and served model are those of the answer that was; another model would answer for itself.
    servedTier: isElsewhere ? null : tierOf(entry),
    servedModel: isElsewhere ? null : entry.servedModel,
    rawUsage: isElsewhere ? null : entry.rawUsage,
    at: otherwise.at ?? entry.ranAt ?? entry.createdAt,
    ...(entry.usage && { inputTokens: totalInput(entry.usage) }),
  });
  if ('unpriced' in found) return found;
  const priced = priceUsage({
    usage: entry.usage,
    rates: found.rates,
    list_rates: found.list_rates,
    succeeded: entry.status !== 'failed' || (entry.statusCode ?? 500) < 400,
  });
  const { amount_nano: amountNano, list_amount_nano: listAmountNano, unpriced_reason: reason } = priced;
  if (amountNano === null) return { unpriced: reason ?? 'unpriced' };
  return { rates: found.rates, priceVersion: found.price_version, amountNano, listAmountNano };
}

/** The service tier an entry was served in: its rates say it, or why it has none. */
function tierOf({ rates, unpricedReason }: AdjustableEntry): string | null {
  if (rates !== null) return rates.mode;
  const match = /^no_price_for_tier: (.+)$|^no_(flex|priority|fast)_price: /.exec(unpricedReason ?? '');
  return match?.[1] ?? match?.[2] ?? null;
}
