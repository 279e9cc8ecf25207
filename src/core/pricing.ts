import { safeAmountFor } from './money.ts';
import type { Unpriced } from './price-book.ts';
import type { RateCard, RateName } from './rates.ts';
import { totalInput, totalOutput, type Usage, type UsageBucket, usageBuckets } from './usage.ts';

/** One line of an account: `count` units of a bucket at `rate` nano-USD per million, `amount` in nano-USD. */
export interface PriceLine {
  bucket: UsageBucket;
  /** Which rate was charged; differs from the bucket's own when that had no price and a dearer one stands in. */
  rate_name: RateName;
  count: number;
  rate: number;
  amount: number;
}

export interface PricedUsage {
  /** Integer nano-USD; null when it cannot be known, with the reason in `unpriced_reason`. */
  amount_nano: number | null;
  list_amount_nano: number | null;
  lines: PriceLine[];
  unpriced_reason: string | null;
}

/**
 * The rates a bucket may be charged at, the first that has a price. Reasoning is billed as output and cached input never
 * costs more than input where a provider lists no price apart; image tokens are metered as text input by every provider
 * that does not price them apart. Audio, images made and one-hour cache writes cost more than text, and calls of tools are no
 * tokens, so nothing stands in for them.
 */
const rateNames: { readonly [bucket in UsageBucket]: readonly RateName[] } = {
  input_tokens: ['input'],
  cached_input_tokens: ['cached_input', 'input'],
  cache_write_tokens: ['cache_write', 'input'],
  cache_write_1h_tokens: ['cache_write_1h'],
  input_audio_tokens: ['input_audio'],
  cached_audio_tokens: ['cached_audio', 'input_audio'],
  input_image_tokens: ['input_image', 'input'],
  output_tokens: ['output'],
  reasoning_tokens: ['reasoning', 'output'],
  output_audio_tokens: ['output_audio'],
  output_image_tokens: ['output_image'],
  web_searches: ['web_search'],
  file_searches: ['file_search'],
  gpu_microseconds: ['gpu_second'],
};

/**
 * The price of a usage: each bucket is one line, rounded half-even to the nano-dollar once, and the amount is the sum of
 * the lines. Zero only where the rates say zero, or for a request that is known to have failed before it used anything
 * (`succeeded: false` and no usage); what has no price gives a null amount and a reason.
 */
export function priceUsage(input: {
  usage: Usage | null;
  rates: RateCard;
  list_rates: RateCard;
  succeeded?: boolean;
  /** Whether the lines are wanted. */
  itemized?: boolean;
}): PricedUsage {
  const { usage, rates, list_rates: listRates, succeeded = true, itemized = true } = input;
  const missing = missingUsage(usage, rates);
  if (usage === null || missing !== null) {
    const isFree = !succeeded || isFreeOfCharge(rates);
    if (!isFree) return { amount_nano: null, list_amount_nano: null, lines: [], unpriced_reason: missing };
    const isListFree = !succeeded || isFreeOfCharge(listRates);
    return { amount_nano: 0, list_amount_nano: isListFree ? 0 : null, lines: [], unpriced_reason: null };
  }
  const lines: PriceLine[] = [];
  const priced = priceBuckets(usage, rates, itemized ? lines : null);
  const list = listRates === rates ? priced : priceBuckets(usage, listRates, null);
  const listAmount = typeof list === 'number' ? list : null;
  if (typeof priced !== 'number') {
    return { amount_nano: null, list_amount_nano: listAmount, lines: [], unpriced_reason: priced.unpriced };
  }
  return { amount_nano: priced, list_amount_nano: listAmount, lines, unpriced_reason: null };
}

/** Why a usage cannot be the whole truth about a success, or null when it can. */
function missingUsage(usage: Usage | null, rates: RateCard): string | null {
  if (rates.gpu_second !== undefined) return usage?.gpu_microseconds === undefined ? 'gpu_time_missing' : null;
  if (usage === null) return 'usage_missing';
  return totalInput(usage) + totalOutput(usage) === 0 ? 'usage_zero' : null;
}

/** True when the price itself says that nothing costs anything, as with text moderation. */
function isFreeOfCharge(rates: RateCard): boolean {
  if (rates.gpu_second !== undefined) return rates.gpu_second === 0;
  if (rates.input !== 0 || rates.output !== 0) return false;
  return usageBuckets.every((bucket) => {
    const name = chargedAs(rates, bucket);
    return name === null || rates[name] === 0;
  });
}

/** The rate that a bucket is charged at; null when none of those it may be has a price. */
function chargedAs(rates: RateCard, bucket: UsageBucket): RateName | null {
  for (const name of rateNames[bucket]) if (rates[name] !== undefined) return name;
  return null;
}

/** The amount of a usage; its lines are added to `lines`, where they are wanted. */
function priceBuckets(usage: Usage, rates: RateCard, lines: PriceLine[] | null): number | Unpriced {
  let amount = 0;
  for (const bucket of usageBuckets) {
    const count = usage[bucket];
    if (count === undefined) continue;
    if (!Number.isSafeInteger(count) || count < 0) return { unpriced: `invalid_count: ${bucket}` };
    // Tokens come with the hour on a pool paid by time, and time with the tokens on one paid by token.
    const isIncluded = (bucket === 'gpu_microseconds') !== (rates.gpu_second !== undefined);
    if (count === 0 || isIncluded) continue;
    const name = chargedAs(rates, bucket);
    const rate = name === null ? undefined : rates[name];
    if (name === null || rate === undefined) return { unpriced: `no_rate: ${bucket}` };
    const lineAmount = safeAmountFor(count, rate);
    // Rates are never negative, so the sum of two safe integers is exact or beyond the safe ones.
    if (lineAmount === null || !Number.isSafeInteger(amount + lineAmount)) return { unpriced: 'amount_out_of_range' };
    amount += lineAmount;
    lines?.push({ bucket, rate_name: name, count, rate, amount: lineAmount });
  }
  return amount;
}
