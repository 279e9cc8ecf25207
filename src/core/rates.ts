import { z } from 'zod';
import { closedObject } from '../protocol/closed-object.ts';
import { divideHalfEven, parseUsdToNano, toSafeInteger } from './money.ts';

/** Tokens that can have a price of their own, per million. */
export const tokenRateNames = [
  'input',
  'cached_input',
  'cache_write',
  'cache_write_1h',
  'input_audio',
  'cached_audio',
  'input_image',
  'output',
  'reasoning',
  'output_audio',
  'output_image',
] as const;

/** What a provider charges by the call, beside the tokens. */
export const callRateNames = ['web_search', 'file_search'] as const;

export const cardRateNames = [...tokenRateNames, ...callRateNames] as const;

export type CardRateName = (typeof cardRateNames)[number];
/** `gpu_second` is a second of the whole pool. */
export type RateName = CardRateName | 'gpu_second';

/** How a request was served, as far as prices tell it apart. */
export const PRICE_MODES = ['standard', 'batch', 'flex', 'priority', 'fast'] as const;
export type PriceMode = (typeof PRICE_MODES)[number];

const STANDARD_TIERS = ['auto', 'default', 'standard', 'standard_only', 'on_demand'];

/**
 * The mode that an answer is priced in: a provider batch's, else that of the service tier it says it was served in. Null
 * for a tier whose price nobody knows.
 */
export function priceModeOf(isBatch: boolean, servedTier: string | null | undefined): PriceMode | null {
  if (isBatch) return 'batch';
  if (servedTier === null || servedTier === undefined || STANDARD_TIERS.includes(servedTier)) return 'standard';
  return PRICE_MODES.find((mode) => mode === servedTier && mode !== 'batch') ?? null;
}

/** Integer nano-USD per million units (tokens, calls, or microseconds of GPU time). An absent rate is unknown, not zero. */
export type RateCard = { [name in RateName]?: number };

/** How the model of a request led to the price: by its own name, by another one, or by the operator's config. */
export type PriceResolution = 'model' | 'alias' | 'snapshot' | 'deployment' | 'served_model' | 'config';

/** The rates that one attempt is priced with, as the ledger entry keeps them: with what they are and why they apply. */
export interface Rates extends RateCard {
  version: string;
  mode: PriceMode;
  /** `base`, or `above_<n>` for a context tier that starts above n input tokens. */
  tier: string;
  /** The model whose price row applies, and the first day of that row. */
  priced_model?: string;
  from?: string;
  region?: string;
  resolved_by?: PriceResolution;
  /** Where prices are not in USD: their currency, and the dated rate by which they became USD. */
  currency?: string;
  usd_rate?: string;
  usd_rate_on?: string;
}

/** What a price lookup finds: the rates, what the same costs in real time, and where they come from. */
export interface FoundRates {
  rates: Rates;
  list_rates: Rates;
  price_version: string;
  /** The model whose price applies; differs from the one asked for when a snapshot or alias was resolved. */
  priced_model: string;
}

const pricePattern = /^\d{1,6}(\.\d{1,9})?$/;
const priceMessage =
  'must be USD (or the stated currency) as a decimal, from 0 to below 1000000, with at most nine decimals';
const priceText = z.string().regex(pricePattern, priceMessage);
const callPrice = z
  .string()
  .regex(/^\d(\.\d{1,9})?$/, 'must be a decimal below 10, with at most nine decimals, for one call');

function isCalendarDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

export const daySchema = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a day, YYYY-MM-DD')
  .refine(isCalendarDay, 'is not a day of the calendar');

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a UTC time, HH:MM');

export const priceCardSchema = closedObject({
  input: priceText,
  output: priceText,
  cached_input: priceText.optional(),
  cache_write: priceText.optional(),
  cache_write_1h: priceText.optional(),
  input_audio: priceText.optional(),
  cached_audio: priceText.optional(),
  input_image: priceText.optional(),
  reasoning: priceText.optional(),
  output_audio: priceText.optional(),
  output_image: priceText.optional(),
  web_search: callPrice.optional(),
  file_search: callPrice.optional(),
});

const cards = {
  standard: priceCardSchema,
  batch: priceCardSchema.optional(),
  flex: priceCardSchema.optional(),
  priority: priceCardSchema.optional(),
  fast: priceCardSchema.optional(),
};

const priceTierSchema = closedObject({ above_input_tokens: z.int().positive(), ...cards });

const regionName = z.string().min(1).max(64);

/** Fields of a dated price. */
export const priceRowShape = {
  /** First day (UTC) of the price; the next row of the model ends it. */
  from: daySchema,
  /** First day on which it no longer holds, when nothing succeeds it. */
  until: daySchema.optional(),
  /** Daily window (UTC, end exclusive) of a price that depends on the hour; preferred to a row without one. */
  hours: z.tuple([timeOfDay, timeOfDay]).optional(),
  /** Where it holds: one region, or several that have one price. Absent: wherever no other row names the region. */
  region: z.union([regionName, z.array(regionName).min(1).max(64)]).optional(),
  ...cards,
  tiers: z.array(priceTierSchema).min(1).max(20).optional(),
};

/** Why the times of a row cannot be; null when they can. */
export function rowProblem(row: {
  from: string;
  until?: string | undefined;
  hours?: [string, string] | undefined;
}): string | null {
  if (row.until !== undefined && row.until <= row.from) return 'until must be later than from';
  if (row.hours !== undefined && row.hours[0] >= row.hours[1]) return 'hours must end later than they begin';
  return null;
}

const priceRowSchema = closedObject(priceRowShape).superRefine((row, context) => {
  const message = rowProblem(row);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

const priceModelSchema = closedObject({
  aliases: z.array(z.string().min(1)).optional(),
  prices: z.array(priceRowSchema).min(1),
});

export const usdRateSchema = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,9})?$/, 'must be USD for one unit of the currency, as a decimal')
  .refine((text) => Number(text) > 0, 'must be more than 0');

/** The currency of prices. What is not USD needs a stated rate: USD for one unit, as of a day. */
export const currencyShape = {
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be a currency such as USD or EUR'),
  usd_rate: usdRateSchema.optional(),
  usd_rate_on: daySchema.optional(),
};

/** Why a currency's rate is wrong; null when it is right. */
export function currencyProblem(stated: {
  currency: string;
  usd_rate?: string | undefined;
  usd_rate_on?: string | undefined;
}): string | null {
  const isRated = stated.usd_rate !== undefined && stated.usd_rate_on !== undefined;
  if (stated.currency !== 'USD' && !isRated) {
    return `prices in ${stated.currency} need usd_rate (USD for one ${stated.currency}) and usd_rate_on (the day of that rate)`;
  }
  const isStated = stated.usd_rate !== undefined || stated.usd_rate_on !== undefined;
  return stated.currency === 'USD' && isStated ? 'prices in USD have no usd_rate' : null;
}

/** A price file: dated list prices of one provider, per million tokens (calls: each) as decimal strings. */
export const priceFileSchema = closedObject({
  provider: z.string().min(1),
  version: z.string().min(1),
  ...currencyShape,
  /** `batch`: what is served as flex is billed at batch rates, where a row does not say otherwise. */
  flex_as: z.literal('batch').optional(),
  /** Stated by the operator: goes before the other files, whatever the day of their rows. */
  is_own: z.boolean().optional(),
  source: z.string().min(1),
  verified_on: daySchema,
  models: z.record(z.string().min(1), priceModelSchema),
}).superRefine((file, context) => {
  const message = currencyProblem(file);
  if (message !== null) context.addIssue({ code: 'custom', path: ['currency'], message });
});

export type PriceFile = z.infer<typeof priceFileSchema>;
export type PriceRow = z.infer<typeof priceRowSchema>;
export type PriceCard = z.infer<typeof priceCardSchema>;

/** Nano-USD per million units for each price of a card; prices in another currency times `usdRate`, half-even. */
export function compileCard(
  card: { [name in CardRateName]?: string | number | undefined },
  usdRate?: string,
): RateCard {
  const rates: RateCard = {};
  for (const name of cardRateNames) {
    const price = card[name];
    if (price === undefined) continue;
    const nano = toUsd(parseUsdToNano(toDecimal(price)), usdRate);
    const isCall = callRateNames.some((call) => call === name);
    rates[name] = toSafeInteger(isCall ? nano * 1_000_000n : nano);
  }
  return rates;
}

/** Nano-USD of an amount in billionths of another currency. */
export function toUsd(billionths: bigint, usdRate: string | undefined): bigint {
  return usdRate === undefined ? billionths : divideHalfEven(billionths * parseUsdToNano(usdRate), 1_000_000_000n);
}

/** The decimal that a price number in a config file was written as; JavaScript may print small ones as `1e-7`. */
export function toDecimal(price: string | number): string {
  if (typeof price === 'string') return price;
  const text = String(price);
  return text.includes('e') ? price.toFixed(9) : text;
}

/** Whether a number or text of a config is a price that loses nothing. */
export function isPrice(price: string | number): boolean {
  return pricePattern.test(toDecimal(price)) && Number(toDecimal(price)) === Number(price);
}

export const PRICE_MESSAGE = priceMessage;
