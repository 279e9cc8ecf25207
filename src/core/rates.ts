import { z } from 'zod';
import { divideHalfEven, parseUsdToNano, toSafeInteger } from './money.ts';

/** What can have a price of its own. Tokens are priced per million; `gpu_second` is a second of the whole pool. */
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
] as const;

export type TokenRateName = (typeof tokenRateNames)[number];
export type RateName = TokenRateName | 'gpu_second';
export type PriceMode = 'standard' | 'batch';

/** Integer nano-USD per million units (tokens, or microseconds of GPU time). An absent rate is unknown, not zero. */
export type RateCard = { [name in RateName]?: number };

/** The rates that one attempt is priced with, as the ledger entry keeps them. */
export interface Rates extends RateCard {
  version: string;
  mode: PriceMode;
  /** `base`, or `above_<n>` for a context tier that starts above n input tokens. */
  tier: string;
}

/** What a price lookup finds: the rates, what the same costs in real time, and where they come from. */
export interface FoundRates {
  rates: Rates;
  list_rates: Rates;
  price_version: string;
  /** The model whose price applies; differs from the one asked for when a snapshot or alias was resolved. */
  priced_model: string;
}

const usdPattern = /^\d{1,6}(\.\d{1,9})?$/;
const usdMessage = 'must be USD as a decimal, from 0 to below 1000000, with at most nine decimals';
const usdText = z.string().regex(usdPattern, usdMessage);

function isCalendarDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

const day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a day, YYYY-MM-DD')
  .refine(isCalendarDay, 'is not a day of the calendar');

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a UTC time, HH:MM');

const priceCardSchema = z.strictObject({
  input: usdText,
  output: usdText,
  cached_input: usdText.optional(),
  cache_write: usdText.optional(),
  cache_write_1h: usdText.optional(),
  input_audio: usdText.optional(),
  cached_audio: usdText.optional(),
  input_image: usdText.optional(),
  reasoning: usdText.optional(),
  output_audio: usdText.optional(),
});

const priceTierSchema = z.strictObject({
  above_input_tokens: z.int().positive(),
  standard: priceCardSchema,
  batch: priceCardSchema.optional(),
});

const priceRowSchema = z
  .strictObject({
    /** First day (UTC) of the price; the next row of the model ends it. */
    from: day,
    /** First day on which it no longer holds, when nothing succeeds it. */
    until: day.optional(),
    /** Daily window (UTC, end exclusive) of a price that depends on the hour; preferred to a row without one. */
    hours: z.tuple([timeOfDay, timeOfDay]).optional(),
    region: z.string().min(1).optional(),
    standard: priceCardSchema,
    batch: priceCardSchema.optional(),
    tiers: z.array(priceTierSchema).min(1).optional(),
  })
  .refine((row) => row.until === undefined || row.until > row.from, 'until must be later than from')
  .refine((row) => row.hours === undefined || row.hours[0] < row.hours[1], 'hours must end later than they begin');

const priceModelSchema = z.strictObject({
  aliases: z.array(z.string().min(1)).optional(),
  prices: z.array(priceRowSchema).min(1),
});

/** A price file: dated list prices of one provider, USD per million tokens as decimal strings. */
export const priceFileSchema = z.strictObject({
  provider: z.string().min(1),
  version: z.string().min(1),
  currency: z.literal('USD'),
  source: z.string().min(1),
  verified_on: day,
  models: z.record(z.string().min(1), priceModelSchema),
});

export type PriceFile = z.infer<typeof priceFileSchema>;
export type PriceRow = z.infer<typeof priceRowSchema>;
export type PriceCard = z.infer<typeof priceCardSchema>;

/** Nano-USD per million units for each price of a card. */
export function compileCard(card: { [name in TokenRateName]?: string | number | undefined }): RateCard {
  const rates: RateCard = {};
  for (const name of tokenRateNames) {
    const price = card[name];
    if (price !== undefined) rates[name] = toSafeInteger(parseUsdToNano(toDecimal(price)));
  }
  return rates;
}

/** The decimal that a price number in a config file was written as; JavaScript may print small ones as `1e-7`. */
function toDecimal(price: string | number): string {
  if (typeof price === 'string') return price;
  const text = String(price);
  return text.includes('e') ? price.toFixed(9) : text;
}

const usdAmount = z.union([z.number(), z.string()]).refine(isUsd, usdMessage);

function isUsd(price: string | number): boolean {
  return usdPattern.test(toDecimal(price)) && Number(toDecimal(price)) === Number(price);
}

const ownCardShape = {
  input: usdAmount,
  output: usdAmount,
  cached_input: usdAmount.optional(),
  cache_write: usdAmount.optional(),
  cache_write_1h: usdAmount.optional(),
  input_audio: usdAmount.optional(),
  cached_audio: usdAmount.optional(),
  input_image: usdAmount.optional(),
  reasoning: usdAmount.optional(),
  output_audio: usdAmount.optional(),
};
const tokenPriceSchema = z.strictObject({ ...ownCardShape, batch: z.strictObject(ownCardShape).optional() });
const gpuPriceSchema = z.strictObject({ gpu_hour: usdAmount, gpus: z.int().positive().max(10_000).optional() });
const modelPriceSchema = z.union([tokenPriceSchema, gpuPriceSchema], {
  error: 'must be { input, output, … } in USD per million tokens, or { gpu_hour, gpus }',
});

/**
 * The operator's own price of a provider: USD per million tokens (numbers or strings), `{gpu_hour, gpus}` for a pool that
 * is paid by the hour, or `{models: {…}}` with one of the two for each model.
 */
export const ownPriceSchema = z.union(
  [tokenPriceSchema, gpuPriceSchema, z.strictObject({ models: z.record(z.string().min(1), modelPriceSchema) })],
  {
    error: 'must be { input, output, … } in USD per million tokens, { gpu_hour, gpus }, or { models: { <name>: … } }',
  },
);

export type OwnPrice = z.infer<typeof ownPriceSchema>;
type ModelPrice = z.infer<typeof modelPriceSchema>;

interface CompiledOwnPrice {
  standard: RateCard;
  batch: RateCard;
}

/** An operator's price, ready for lookups; by lower-case model name, with `any` for all the others. */
export interface OwnPriceBook {
  version: string;
  any: CompiledOwnPrice | null;
  models: ReadonlyMap<string, CompiledOwnPrice>;
}

/** Compiles an own price; `version` is what ledger entries will name as the origin of these rates. */
export function compileOwnPrice(price: OwnPrice, version = 'config'): OwnPriceBook {
  if (!('models' in price)) return { version, any: compileModelPrice(price), models: new Map() };
  const models = new Map<string, CompiledOwnPrice>();
  for (const [model, modelPrice] of Object.entries(price.models)) {
    models.set(model.toLowerCase(), compileModelPrice(modelPrice));
  }
  return { version, any: null, models };
}

function compileModelPrice(price: ModelPrice): CompiledOwnPrice {
  if ('gpu_hour' in price) {
    const card = { gpu_second: gpuSecondRate(price.gpu_hour, price.gpus ?? 1) };
    return { standard: card, batch: card };
  }
  const standard = compileCard(price);
  // An owner who names one price charges it in every mode; only a list price may not be assumed for batches.
  return { standard, batch: price.batch === undefined ? standard : compileCard(price.batch) };
}

/** Nano-USD for one second of a pool of `gpus` GPUs at `gpuHour` USD an hour each, rounded half-even. */
export function gpuSecondRate(gpuHour: string | number, gpus: number): number {
  return toSafeInteger(divideHalfEven(parseUsdToNano(toDecimal(gpuHour)) * BigInt(gpus), 3600n));
}

/** The operator's rates for a model, or null when the own price does not cover it (then the price files decide). */
export function findOwnRates(book: OwnPriceBook, query: { model: string; mode: PriceMode }): FoundRates | null {
  const found = book.models.get(query.model.toLowerCase()) ?? book.any;
  if (found === null) return null;
  const { version } = book;
  return {
    rates: { ...found[query.mode], version, mode: query.mode, tier: 'base' },
    list_rates: { ...found.standard, version, mode: 'standard', tier: 'base' },
    price_version: version,
    priced_model: query.model,
  };
}
