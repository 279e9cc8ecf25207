import { amountFor, toSafeInteger } from './money.ts';
import {
  compileCard,
  type FoundRates,
  type PriceFile,
  type PriceMode,
  type PriceRow,
  priceFileSchema,
  type RateCard,
  type RateName,
} from './rates.ts';
import { totalInput, totalOutput, type Usage, type UsageBucket, usageBuckets } from './usage.ts';

interface CompiledTier {
  aboveInputTokens: number;
  name: string;
  standard: RateCard;
  batch: RateCard | null;
}

interface CompiledRow {
  fromSeconds: number;
  untilSeconds: number;
  /** Seconds of the UTC day in which the row holds. */
  hours: { begin: number; end: number } | null;
  region: string | null;
  version: string;
  /** Highest tier first; the base, above 0 tokens, last. */
  tiers: CompiledTier[];
}

interface PricedModel {
  model: string;
  /** Latest first; rows of a later file before those of an earlier one. */
  rows: CompiledRow[];
}

/** Prices ready for lookups: provider id → lower-case model name or alias → dated rows. */
export type PriceBook = ReadonlyMap<string, ReadonlyMap<string, PricedModel>>;

export interface RatesQuery {
  /** Provider id as the price files name it. */
  provider: string;
  model: string;
  mode: PriceMode;
  /** When the request was made, in Unix seconds. */
  at: number;
  /** All input tokens, cached ones included: they decide the context tier. Absent: the base tier. */
  inputTokens?: number;
  region?: string;
}

export interface Unpriced {
  unpriced: string;
}

const secondsPerDay = 86_400;

/**
 * Checks and compiles price files. Several files may speak of one provider: a row of a later file wins over a row of an
 * earlier one that starts on the same day. Throws an Error that names the file, the field and what is wrong.
 */
export function compilePrices(files: readonly unknown[]): PriceBook {
  const book = new Map<string, Map<string, PricedModel>>();
  files.forEach((file, index) => {
    const parsed = priceFileSchema.safeParse(file);
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`);
      throw new Error(`price file ${index + 1} is not valid: ${problems.join('; ')}`);
    }
    const { provider } = parsed.data;
    const models = book.get(provider) ?? new Map<string, PricedModel>();
    book.set(provider, models);
    addFile(models, parsed.data);
  });
  return book;
}

function addFile(models: Map<string, PricedModel>, file: PriceFile): void {
  const namedInFile = new Set<string>();
  for (const [model, { aliases = [], prices }] of Object.entries(file.models)) {
    const names = [model, ...aliases].map((name) => name.toLowerCase());
    for (const name of names) {
      if (namedInFile.has(name)) throw new Error(`price file ${file.provider} ${file.version} names ${name} twice`);
      namedInFile.add(name);
    }
    const known = models.get(model.toLowerCase());
    // A name that was another model's alias becomes a model of its own; the other keeps its prices.
    const priced = known?.model.toLowerCase() === model.toLowerCase() ? known : { model, rows: known?.rows ?? [] };
    const added = prices.map((row) => compileRow(row, file.version));
    // A stable sort keeps the later file first among rows that start together.
    priced.rows = [...added, ...priced.rows].sort((left, right) => right.fromSeconds - left.fromSeconds);
    for (const name of names) models.set(name, priced);
  }
}

function compileRow(row: PriceRow, version: string): CompiledRow {
  const tiers = (row.tiers ?? []).map((tier) => ({
    aboveInputTokens: tier.above_input_tokens,
    name: `above_${tier.above_input_tokens}`,
    standard: compileCard(tier.standard),
    batch: tier.batch === undefined ? null : compileCard(tier.batch),
  }));
  const base = {
    aboveInputTokens: -1,
    name: 'base',
    standard: compileCard(row.standard),
    batch: row.batch === undefined ? null : compileCard(row.batch),
  };
  return {
    fromSeconds: Date.parse(`${row.from}T00:00:00Z`) / 1000,
    untilSeconds: row.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${row.until}T00:00:00Z`) / 1000,
    hours: row.hours === undefined ? null : { begin: secondOfDay(row.hours[0]), end: secondOfDay(row.hours[1]) },
    region: row.region ?? null,
    version,
    tiers: [...tiers, base].sort((left, right) => right.aboveInputTokens - left.aboveInputTokens),
  };
}

function secondOfDay(time: string): number {
  return Number(time.slice(0, 2)) * 3600 + Number(time.slice(3)) * 60;
}

/**
 * The rates of a model at a moment, or why there are none. A context tier applies to the whole request (a cliff, not a
 * margin). A dated snapshot without a row of its own has the price of its model, which `priced_model` then names.
 */
export function findRates(book: PriceBook, query: RatesQuery): FoundRates | Unpriced {
  const name = `${query.provider}/${query.model}`;
  const priced = findModel(book.get(query.provider), query.model);
  if (priced === undefined) return { unpriced: `no_price: ${name}` };
  const row = findRow(priced.rows, query);
  if (row === undefined) return { unpriced: `no_price_at_date: ${name}` };
  const tier = row.tiers.find((candidate) => (query.inputTokens ?? 0) > candidate.aboveInputTokens);
  const card = tier?.[query.mode] ?? null;
  if (tier === undefined || card === null) return { unpriced: `no_batch_price: ${name}` };
  const origin = { version: row.version, tier: tier.name };
  return {
    rates: { ...card, ...origin, mode: query.mode },
    list_rates: { ...tier.standard, ...origin, mode: 'standard' },
    price_version: row.version,
    priced_model: priced.model,
  };
}

function findModel(models: ReadonlyMap<string, PricedModel> | undefined, model: string): PricedModel | undefined {
  if (models === undefined) return undefined;
  const asked = model.toLowerCase();
  const withoutVersion = asked.replace(/@.*$/, '');
  const withoutDate = withoutVersion.replace(/-(\d{4}-\d{2}-\d{2}|\d{8})$/, '');
  return models.get(asked) ?? models.get(withoutVersion) ?? models.get(withoutDate);
}

function findRow(rows: readonly CompiledRow[], query: RatesQuery): CompiledRow | undefined {
  const second = ((query.at % secondsPerDay) + secondsPerDay) % secondsPerDay;
  const current = rows.filter(
    (row) =>
      row.fromSeconds <= query.at &&
      query.at < row.untilSeconds &&
      (row.region === null || row.region === query.region) &&
      (row.hours === null || (row.hours.begin <= second && second < row.hours.end)),
  );
  const regional = current.filter((row) => row.region !== null);
  const eligible = regional.length > 0 ? regional : current;
  const newest = eligible[0];
  if (newest === undefined) return undefined;
  const siblings = eligible.filter((row) => row.fromSeconds === newest.fromSeconds && row.version === newest.version);
  return siblings.find((row) => row.hours !== null) ?? newest;
}

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
 * that does not price them apart. Audio and one-hour cache writes cost more than text, so nothing stands in for them.
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
}): PricedUsage {
  const { usage, rates, list_rates: listRates, succeeded = true } = input;
  const missing = missingUsage(usage, rates);
  if (usage === null || missing !== null) {
    const isFree = !succeeded || isFreeOfCharge(rates);
    if (!isFree) return { amount_nano: null, list_amount_nano: null, lines: [], unpriced_reason: missing };
    const isListFree = !succeeded || isFreeOfCharge(listRates);
    return { amount_nano: 0, list_amount_nano: isListFree ? 0 : null, lines: [], unpriced_reason: null };
  }
  const priced = priceBuckets(usage, rates);
  const list = priceBuckets(usage, listRates);
  const listAmount = 'unpriced' in list ? null : list.amount;
  if ('unpriced' in priced) {
    return { amount_nano: null, list_amount_nano: listAmount, lines: [], unpriced_reason: priced.unpriced };
  }
  return { amount_nano: priced.amount, list_amount_nano: listAmount, lines: priced.lines, unpriced_reason: null };
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
  return usageBuckets.every((bucket) => (chargedRate(rates, bucket)?.rate ?? 0) === 0);
}

function chargedRate(rates: RateCard, bucket: UsageBucket): { name: RateName; rate: number } | null {
  for (const name of rateNames[bucket]) {
    const rate = rates[name];
    if (rate !== undefined) return { name, rate };
  }
  return null;
}

function priceBuckets(usage: Usage, rates: RateCard): { lines: PriceLine[]; amount: number } | Unpriced {
  const lines: PriceLine[] = [];
  let amount = 0n;
  for (const bucket of usageBuckets) {
    const count = usage[bucket] ?? 0;
    if (!Number.isSafeInteger(count) || count < 0) return { unpriced: `invalid_count: ${bucket}` };
    // Tokens come with the hour on a pool paid by time, and time with the tokens on one paid by token.
    const isIncluded = (bucket === 'gpu_microseconds') !== (rates.gpu_second !== undefined);
    if (count === 0 || isIncluded) continue;
    const charged = chargedRate(rates, bucket);
    if (charged === null) return { unpriced: `no_rate: ${bucket}` };
    const lineAmount = amountFor(count, charged.rate);
    amount += lineAmount;
    if (amount > BigInt(Number.MAX_SAFE_INTEGER)) return { unpriced: 'amount_out_of_range' };
    lines.push({ bucket, rate_name: charged.name, count, rate: charged.rate, amount: toSafeInteger(lineAmount) });
  }
  return { lines, amount: toSafeInteger(amount) };
}
