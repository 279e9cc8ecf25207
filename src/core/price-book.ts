/** Price files and the operator's dated prices as one book: which row holds for a request, and why. */
import {
  compileCard,
  type FoundRates,
  PRICE_MODES,
  type PriceFile,
  type PriceMode,
  type PriceResolution,
  type PriceRow,
  priceFileSchema,
  type RateCard,
  type Rates,
} from './rates.ts';

export interface CompiledTier {
  aboveInputTokens: number;
  name: string;
  cards: { [mode in PriceMode]: RateCard | null };
}

export interface CompiledRow {
  from: string;
  fromSeconds: number;
  untilSeconds: number;
  /** Seconds of the UTC day in which the row holds. */
  hours: { begin: number; end: number } | null;
  /** Null: wherever no other row names the region. */
  regions: readonly string[] | null;
  version: string;
  source: string;
  verifiedOn: string;
  isOwn: boolean;
  money: Pick<Rates, 'currency' | 'usd_rate' | 'usd_rate_on'>;
  /** Highest tier first; the base, above 0 tokens, last. */
  tiers: CompiledTier[];
}

export interface PricedModel {
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
  inputTokens?: number | undefined;
  region?: string | undefined;
  /** The region is billed apart: a list that does not name it does not price it. */
  isRegionBilled?: boolean;
}

export interface Unpriced {
  unpriced: string;
}

const secondsPerDay = 86_400;

/**
 * Checks and compiles price files. Several files may speak of one provider: a row of a later file wins over a row of an
 * earlier one that starts on the same day, and a row of the operator's own over all others as long as it holds. Throws an
 * Error that names the file, the field and what is wrong.
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

/** Puts the prices of another book in place of all that `book` has, at once. */
export function replacePrices(book: PriceBook, prices: PriceBook): void {
  const kept = book as Map<string, ReadonlyMap<string, PricedModel>>;
  kept.clear();
  for (const [provider, models] of prices) kept.set(provider, models);
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
    const added = prices.map((row) => compileRow(row, file));
    // A stable sort keeps the later file first among rows that start together.
    priced.rows = [...added, ...priced.rows].sort((left, right) => right.fromSeconds - left.fromSeconds);
    for (const name of names) models.set(name, priced);
  }
}

function compileRow(row: PriceRow, file: PriceFile): CompiledRow {
  const tiers = (row.tiers ?? []).map((tier) => ({
    aboveInputTokens: tier.above_input_tokens,
    name: `above_${tier.above_input_tokens}`,
    cards: compileCards(tier, file),
  }));
  const base = { aboveInputTokens: -1, name: 'base', cards: compileCards(row, file) };
  const { usd_rate: rate, usd_rate_on: on } = file;
  return {
    from: row.from,
    fromSeconds: Date.parse(`${row.from}T00:00:00Z`) / 1000,
    untilSeconds: row.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${row.until}T00:00:00Z`) / 1000,
    hours: row.hours === undefined ? null : { begin: secondOfDay(row.hours[0]), end: secondOfDay(row.hours[1]) },
    regions: row.region === undefined ? null : [row.region].flat(),
    version: file.version,
    source: file.source,
    verifiedOn: file.verified_on,
    isOwn: file.is_own === true,
    money: rate === undefined || on === undefined ? {} : { currency: file.currency, usd_rate: rate, usd_rate_on: on },
    tiers: [...tiers, base].sort((left, right) => right.aboveInputTokens - left.aboveInputTokens),
  };
}

function compileCards(row: Pick<PriceRow, PriceMode>, file: PriceFile): CompiledTier['cards'] {
  const compiled = PRICE_MODES.map((mode) => {
    const card = row[mode] ?? (mode === 'flex' && file.flex_as === 'batch' ? row.batch : undefined);
    return [mode, card === undefined ? null : compileCard(card, file.usd_rate)];
  });
  return Object.fromEntries(compiled) as CompiledTier['cards'];
}

function secondOfDay(time: string): number {
  return Number(time.slice(0, 2)) * 3600 + Number(time.slice(3)) * 60;
}

/**
 * The rates of a model at a moment, or why there are none. A context tier applies to the whole request (a cliff, not a
 * margin). A dated snapshot without a row of its own has the price of its model, which `priced_model` then names.
 */
export function findRates(book: PriceBook, query: RatesQuery): FoundRates | Unpriced {
  const models = book.get(query.provider);
  if (last === null || last.models !== models || !isSameQuestion(last.query, query)) {
    last = { models, query, place: placeOf(models, query), tier: null, mode: query.mode, rates: null };
  }
  const { place } = last;
  if ('unpriced' in place) return place;
  const tier = tierOf(place.row, query.inputTokens ?? 0);
  if (last.rates !== null && last.tier === tier && last.mode === query.mode) return last.rates;
  const card = tier?.cards[query.mode] ?? null;
  if (tier === null || card === null) {
    return { unpriced: `no_${query.mode}_price: ${query.provider}/${query.model}` };
  }
  const rates = ratesIn(place, tier, card, query);
  last.tier = tier;
  last.mode = query.mode;
  last.rates = rates;
  return rates;
}

/** Where a model has its price, in the book. */
interface Place {
  priced: PricedModel;
  resolution: PriceResolution;
  row: CompiledRow;
}

interface Asked {
  models: ReadonlyMap<string, PricedModel> | undefined;
  query: RatesQuery;
  place: Place | Unpriced;
  /** Which of the place's rates were found, and for which mode. */
  tier: CompiledTier | null;
  mode: PriceMode;
  rates: FoundRates | null;
}

/** What was asked last, as entries of one model mostly follow each other. Prices that are replaced are in other maps. */
let last: Asked | null = null;

/** Whether the same model is asked for at the same time and place; its tier and mode may differ. */
function isSameQuestion(left: RatesQuery, right: RatesQuery): boolean {
  return (
    left.model === right.model &&
    left.at === right.at &&
    left.provider === right.provider &&
    left.region === right.region &&
    left.isRegionBilled === right.isRegionBilled
  );
}

function placeOf(models: ReadonlyMap<string, PricedModel> | undefined, query: RatesQuery): Place | Unpriced {
  const name = `${query.provider}/${query.model}`;
  const model = findModel(models, query.model);
  if (model === undefined) return { unpriced: `no_price: ${name}` };
  const row = findRow(model.priced.rows, query);
  if (row === undefined) return { unpriced: `no_price_at_date: ${name}` };
  if (query.isRegionBilled === true && row.regions === null && !row.isOwn) {
    return { unpriced: `no_price_for_region: ${name} in ${query.region}` };
  }
  return { ...model, row };
}

function tierOf({ tiers }: CompiledRow, inputTokens: number): CompiledTier | null {
  for (const tier of tiers) if (inputTokens > tier.aboveInputTokens) return tier;
  return null;
}

function ratesIn(
  { priced, resolution, row }: Place,
  tier: CompiledTier,
  card: RateCard,
  query: RatesQuery,
): FoundRates {
  const known = found.get(tier) ?? new Map<string, FoundRates>();
  found.set(tier, known);
  const region = row.regions === null ? undefined : query.region;
  const key = `${query.mode} ${resolution} ${priced.model} ${region ?? ''}`;
  const why = { card, mode: query.mode, model: priced.model, resolution, region };
  const rates = known.get(key) ?? ratesOf(row, tier, why);
  known.set(key, rates);
  return rates;
}

/** Rates found before: every entry of a model then names the same object. */
const found = new WeakMap<CompiledTier, Map<string, FoundRates>>();

function ratesOf(
  row: CompiledRow,
  tier: CompiledTier,
  {
    card,
    mode,
    model,
    resolution,
    region,
  }: { card: RateCard; mode: PriceMode; model: string; resolution: PriceResolution; region: string | undefined },
): FoundRates {
  const origin = {
    version: row.version,
    tier: tier.name,
    priced_model: model,
    from: row.from,
    resolved_by: resolution,
    ...(region !== undefined && { region }),
    ...row.money,
  };
  const rates = { ...card, ...origin, mode };
  return {
    rates,
    list_rates: mode === 'standard' ? rates : { ...tier.cards.standard, ...origin, mode: 'standard' },
    price_version: row.version,
    priced_model: model,
  };
}

function findModel(
  models: ReadonlyMap<string, PricedModel> | undefined,
  model: string,
): { priced: PricedModel; resolution: PriceResolution } | undefined {
  if (models === undefined) return undefined;
  const asked = model.toLowerCase();
  const named = models.get(asked);
  if (named !== undefined) {
    return { priced: named, resolution: named.model.toLowerCase() === asked ? 'model' : 'alias' };
  }
  const withoutVersion = asked.replace(/@.*$/, '');
  const withoutDate = withoutVersion.replace(/-(\d{4}-\d{2}-\d{2}|\d{8})$/, '');
  const priced = models.get(withoutVersion) ?? models.get(withoutDate);
  return priced && { priced, resolution: 'snapshot' };
}

function findRow(rows: readonly CompiledRow[], query: RatesQuery): CompiledRow | undefined {
  const second = ((query.at % secondsPerDay) + secondsPerDay) % secondsPerDay;
  const current = rows.filter(
    (row) =>
      row.fromSeconds <= query.at &&
      query.at < row.untilSeconds &&
      (row.regions === null || (query.region !== undefined && row.regions.includes(query.region))) &&
      (row.hours === null || (row.hours.begin <= second && second < row.hours.end)),
  );
  const own = current.filter((row) => row.isOwn);
  const layer = own.length > 0 ? own : current;
  const regional = layer.filter((row) => row.regions !== null);
  const eligible = regional.length > 0 ? regional : layer;
  const newest = eligible[0];
  if (newest === undefined) return undefined;
  const siblings = eligible.filter((row) => row.fromSeconds === newest.fromSeconds && row.version === newest.version);
  return siblings.find((row) => row.hours !== null) ?? newest;
}
