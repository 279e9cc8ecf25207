/** Prices that the operator states for a provider in the config. */
import { z } from 'zod';
import { divideHalfEven, parseUsdToNano, toSafeInteger } from './money.ts';
import {
  compileCard,
  currencyProblem,
  currencyShape,
  type FoundRates,
  isPrice,
  PRICE_MESSAGE,
  type PriceMode,
  type RateCard,
  type Rates,
  toDecimal,
  toUsd,
  usdRateSchema,
} from './rates.ts';

const price = z.union([z.number(), z.string()]).refine(isPrice, PRICE_MESSAGE);
const callPrice = price.refine((amount) => Number(amount) < 9, 'must be below 9 for one call');

const cardShape = {
  input: price,
  output: price,
  cached_input: price.optional(),
  cache_write: price.optional(),
  cache_write_1h: price.optional(),
  input_audio: price.optional(),
  cached_audio: price.optional(),
  input_image: price.optional(),
  reasoning: price.optional(),
  output_audio: price.optional(),
  output_image: price.optional(),
  web_search: callPrice.optional(),
  file_search: callPrice.optional(),
};

const moneyShape = {
  currency: currencyShape.currency.optional(),
  usd_rate: price.transform(toDecimal).pipe(usdRateSchema).optional(),
  usd_rate_on: currencyShape.usd_rate_on,
};

function checkCurrency(
  stated: { currency?: string | undefined; usd_rate?: string | undefined; usd_rate_on?: string | undefined },
  context: z.RefinementCtx,
): void {
  const message = currencyProblem({ ...stated, currency: stated.currency ?? 'USD' });
  if (message !== null) context.addIssue({ code: 'custom', path: ['currency'], message });
}

const tokenPriceSchema = z
  .strictObject({ ...cardShape, batch: z.strictObject(cardShape).optional(), ...moneyShape })
  .superRefine(checkCurrency);
const gpuPriceSchema = z
  .strictObject({ gpu_hour: price, gpus: z.int().positive().max(10_000).optional(), ...moneyShape })
  .superRefine(checkCurrency);
const modelPriceSchema = z.union([tokenPriceSchema, gpuPriceSchema], {
  error: 'must be { input, output, … } in USD per million tokens, or { gpu_hour, gpus }',
});

/**
 * The operator's own price of a provider: USD per million tokens (numbers or strings), `{gpu_hour, gpus}` for a pool that
 * is paid by the hour, or `{models: {…}}` with one of the two for each model. Another currency needs `usd_rate`.
 */
export const ownPriceSchema = z.union(
  [tokenPriceSchema, gpuPriceSchema, z.strictObject({ models: z.record(z.string().min(1), modelPriceSchema) })],
  {
    error: 'must be { input, output, … } in USD per million tokens, { gpu_hour, gpus }, or { models: { <name>: … } }',
  },
);

export type OwnPrice = z.input<typeof ownPriceSchema>;
type ModelPrice = z.infer<typeof modelPriceSchema>;

export interface CompiledOwnPrice {
  standard: RateCard;
  batch: RateCard;
  money: Pick<Rates, 'currency' | 'usd_rate' | 'usd_rate_on'>;
}

/** An operator's price, ready for lookups; by lower-case model name, with `any` for all the others. */
export interface OwnPriceBook {
  version: string;
  any: CompiledOwnPrice | null;
  models: ReadonlyMap<string, CompiledOwnPrice>;
}

/** Compiles an own price; `version` is what ledger entries will name as the origin of these rates. */
export function compileOwnPrice(stated: OwnPrice, version = 'config'): OwnPriceBook {
  const own = ownPriceSchema.parse(stated);
  if (!('models' in own)) return { version, any: compileModelPrice(own), models: new Map() };
  const models = new Map<string, CompiledOwnPrice>();
  for (const [model, modelPrice] of Object.entries(own.models)) {
    models.set(model.toLowerCase(), compileModelPrice(modelPrice));
  }
  return { version, any: null, models };
}

function compileModelPrice(own: ModelPrice): CompiledOwnPrice {
  const { currency, usd_rate: rate, usd_rate_on: on } = own;
  const money =
    rate === undefined || on === undefined ? {} : { currency: currency ?? 'USD', usd_rate: rate, usd_rate_on: on };
  if ('gpu_hour' in own) {
    const card = { gpu_second: gpuSecondRate(own.gpu_hour, own.gpus ?? 1, rate) };
    return { standard: card, batch: card, money };
  }
  const standard = compileCard(own, rate);
  // An owner who names one price charges it in every mode; only a list price may not be assumed for batches.
  return { standard, batch: own.batch === undefined ? standard : compileCard(own.batch, rate), money };
}

/** Nano-USD for one second of a pool of `gpus` GPUs at `gpuHour` an hour each, rounded half-even. */
export function gpuSecondRate(gpuHour: string | number, gpus: number, usdRate?: string): number {
  return toSafeInteger(divideHalfEven(toUsd(parseUsdToNano(toDecimal(gpuHour)), usdRate) * BigInt(gpus), 3600n));
}

interface OwnRatesQuery {
  model: string;
  mode: PriceMode;
}

/** Rates found before, by price, then version, mode and model: every entry of a model then names the same object. */
const found = new WeakMap<CompiledOwnPrice, Map<string, FoundRates>>();
/** Requests may name any model. */
const FOUND_MAX = 1_000;
/** What was asked last, as entries of one model mostly follow each other. */
let last: (OwnRatesQuery & { book: OwnPriceBook; rates: FoundRates }) | null = null;

/** The operator's rates for a model, or null when the own price does not cover it (then the price files decide). */
export function findOwnRates(book: OwnPriceBook, query: OwnRatesQuery): FoundRates | null {
  const { model, mode } = query;
  if (last !== null && last.book === book && last.model === model && last.mode === mode) return last.rates;
  const price = book.models.get(model.toLowerCase()) ?? book.any;
  if (price === null) return null;
  const known = found.get(price) ?? new Map<string, FoundRates>();
  found.set(price, known);
  const key = `${book.version}\n${mode}\n${model}`;
  let rates = known.get(key);
  if (rates === undefined) {
    rates = ownRates(book.version, price, query);
    if (known.size >= FOUND_MAX) known.clear();
    known.set(key, rates);
  }
  last = { book, model, mode, rates };
  return rates;
}

function ownRates(version: string, price: CompiledOwnPrice, query: { model: string; mode: PriceMode }): FoundRates {
  const mode = query.mode === 'batch' ? 'batch' : 'standard';
  const origin = { version, tier: 'base', priced_model: query.model, resolved_by: 'config', ...price.money } as const;
  const rates = { ...price[mode], ...origin, mode: query.mode };
  return {
    rates,
    list_rates: query.mode === 'standard' ? rates : { ...price.standard, ...origin, mode: 'standard' },
    price_version: version,
    priced_model: query.model,
  };
}

/** Whether a model's requests are paid by their time on the pool. */
export function isPaidByTime(book: OwnPriceBook | undefined, model: string): boolean {
  const price = book && (book.models.get(model.toLowerCase()) ?? book.any);
  return price?.standard.gpu_second !== undefined;
}
