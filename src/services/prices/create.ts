import { ApiError } from '../../core/api-error.ts';
import { compilePrices, findRates, type PriceBook } from '../../core/price-book.ts';
import { PRICE_MODES, type PriceMode } from '../../core/rates.ts';
import { regionsOf, type StatedPrice, toPriceFile } from '../../core/stated-price.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { PriceCreated } from '../../protocol/price.ts';
import { presentPrice } from './present.ts';
import { refreshPrices } from './refresh.ts';

export type CreatePriceDeps = Pick<Deps, 'store' | 'prices' | 'priceFiles' | 'clock'>;

export interface PriceInput {
  price: StatedPrice;
  source: string;
  /** Checks and answers, and states nothing. */
  dryRun: boolean;
}

const DAY = 86_400;

/**
 * States a price from its first day on. What was priced stays as it was: where a price holds, a new one begins tomorrow
 * or later; only where none held may it begin earlier. Throws 409 with what is in the way.
 */
export async function createPrice(deps: CreatePriceDeps, context: Context, input: PriceInput): Promise<PriceCreated> {
  await refreshPrices(deps);
  const { price, source } = input;
  const now = unixSeconds(deps.clock);
  const id = context.newId('price_');
  const before = deps.prices.get(price.provider);
  if (before?.get(price.model.toLowerCase())?.rows.some((row) => row.version === id) !== true) {
    refusePast(deps.prices, price, now);
    await refuseTaken(deps, price);
  }
  const file = toPriceFile(id, price, source, now);
  const warnings = warningsOf(deps.prices, price);
  const [region] = regionsOf(price);
  const replaces = inEffect(deps.prices, price, { at: startOf(price), region })?.price_version ?? null;
  if (!input.dryRun) {
    const row = { id, price, source, keyId: context.actor.keyId, createdAt: now };
    if (!(await deps.store.prices.add(row))) throw taken(price);
    await refreshPrices(deps);
  }
  const priced = compilePrices([file]).get(price.provider)?.get(price.model.toLowerCase());
  const row = priced?.rows[0];
  if (priced === undefined || row === undefined) throw new Error('the price just compiled is not there');
  const names = [price.model, ...(price.aliases ?? [])].map((name) => name.toLowerCase());
  return { ...presentPrice(price.provider, priced, row, names, now), dry_run: input.dryRun, replaces, warnings };
}

function startOf(price: StatedPrice): number {
  return Date.parse(`${price.from}T00:00:00Z`) / 1000;
}

function inEffect(
  prices: PriceBook,
  { provider, model }: StatedPrice,
  { at, region, mode = 'standard' }: { at: number; region: string | undefined; mode?: PriceMode },
) {
  const found = findRates(prices, { provider, model, region, mode, at });
  return 'unpriced' in found ? null : found;
}

function refusePast(prices: PriceBook, price: StatedPrice, now: number): void {
  const tomorrow = now - (now % DAY) + DAY;
  const start = startOf(price);
  const named = regionsOf(price);
  for (let at = start; at < tomorrow; at += DAY) {
    const found = (named.length === 0 ? [undefined] : named).map((region) => inEffect(prices, price, { at, region }));
    const held = found.find((each) => each !== null) ?? null;
    if (held === null) continue;
    const day = (second: number) => new Date(second * 1000).toISOString().slice(0, 10);
    throw new ApiError(
      409,
      `On ${day(at)} ${price.provider}/${price.model} has a price (${held.price_version}, from ${held.rates.from}), by which ` +
        `entries were made. Start the new one on ${day(tomorrow)} or later; to price past entries anew, use POST /v1/ledger/adjustments.`,
      { code: 'price_in_effect', param: 'from' },
    );
  }
}

async function refuseTaken(deps: Pick<Deps, 'store'>, price: StatedPrice): Promise<void> {
  const same = (other: StatedPrice) =>
    other.provider === price.provider &&
    other.model.toLowerCase() === price.model.toLowerCase() &&
    other.from === price.from &&
    isSamePlace(other, price) &&
    other.hours?.join() === price.hours?.join();
  const rows = await deps.store.prices.list();
  if (rows.some((row) => same(row.price))) throw taken(price);
}

/** Whether both hold wherever no other price names the region, or both in one that they name. */
function isSamePlace(left: StatedPrice, right: StatedPrice): boolean {
  const regions = regionsOf(left);
  const others = regionsOf(right);
  return regions.length === 0 ? others.length === 0 : regions.some((region) => others.includes(region));
}

function taken(price: StatedPrice): ApiError {
  return new ApiError(
    409,
    `A price of ${price.provider}/${price.model} from ${price.from} was stated already, and is never overwritten. Start this ` +
      'one on another day, or withdraw that one while it has not begun (DELETE /v1/prices/{id}).',
    { code: 'price_exists', param: 'from' },
  );
}

/** What the price in effect covers and the new one does not: it would be unpriced. */
function warningsOf(prices: PriceBook, price: StatedPrice): string[] {
  const at = startOf(price);
  const [region] = regionsOf(price);
  const lost = PRICE_MODES.filter((mode) => mode !== 'standard' && price[mode] === undefined)
    .filter((mode) => inEffect(prices, price, { at, region, mode }) !== null)
    .map(
      (mode) => `There is a ${mode} price now; the new price has none, so what is served as ${mode} will be unpriced.`,
    );
  const regions = region === undefined ? pricedRegions(prices, price, at) : [];
  if (regions.length === 0) return lost;
  const named = regions.slice(0, 10).join(', ') + (regions.length > 10 ? ', …' : '');
  return [...lost, `Regions have prices of their own (${named}); the new price takes the place of theirs too.`];
}

function pricedRegions(prices: PriceBook, { provider, model }: StatedPrice, at: number): string[] {
  const rows = prices.get(provider)?.get(model.toLowerCase())?.rows ?? [];
  const held = rows.filter(({ isOwn, fromSeconds, untilSeconds }) => !isOwn && fromSeconds <= at && at < untilSeconds);
  return [...new Set(held.flatMap(({ regions }) => regions ?? []))].toSorted();
}
