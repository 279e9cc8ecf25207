import { formatUsd } from '../../core/money.ts';
import type { CompiledRow, PricedModel } from '../../core/price-book.ts';
import { callRateNames, PRICE_MODES, type RateCard } from '../../core/rates.ts';
import type { PriceObject } from '../../protocol/price.ts';

/** The id of a price: of a stated one its own, of a list the version with what tells the row apart. */
export function priceId(model: string, row: CompiledRow): string {
  if (row.isOwn) return row.version;
  return [row.version, model, row.from, row.regions?.join(','), row.hours && `${row.hours.begin}s`]
    .filter(Boolean)
    .join('/');
}

/** A row of the price book as clients see it. `at`: Unix seconds. */
export function presentPrice(
  provider: string,
  { model, rows }: PricedModel,
  row: CompiledRow,
  names: string[],
  at: number,
): PriceObject {
  const base = row.tiers.at(-1);
  const tiers = row.tiers.slice(0, -1).toReversed();
  const end = endOf(rows, row);
  return {
    id: priceId(model, row),
    object: 'price',
    provider,
    model,
    aliases: names.filter((name) => name !== model.toLowerCase()),
    region: row.regions?.length === 1 ? (row.regions[0] ?? null) : row.regions && [...row.regions],
    hours: row.hours && [clock(row.hours.begin), clock(row.hours.end)],
    from: row.from,
    until: Number.isFinite(end) ? new Date(end * 1000).toISOString().slice(0, 10) : null,
    in_effect: row.fromSeconds <= at && at < end,
    currency: row.money.currency ?? 'USD',
    usd_rate: row.money.usd_rate ?? null,
    usd_rate_on: row.money.usd_rate_on ?? null,
    ...(Object.fromEntries(PRICE_MODES.map((mode) => [mode, showCard(base?.cards[mode] ?? null)])) as Cards),
    tiers: tiers.map(({ aboveInputTokens, cards }) => ({
      above_input_tokens: aboveInputTokens,
      ...Object.fromEntries(
        PRICE_MODES.filter((mode) => cards[mode] !== null).map((mode) => [mode, showCard(cards[mode])]),
      ),
    })),
    origin: row.isOwn ? 'stated' : 'list',
    source: row.source,
    verified_on: row.verifiedOn,
    version: row.version,
  };
}

type Cards = Pick<PriceObject, 'standard' | 'batch' | 'flex' | 'priority' | 'fast'>;

/** A row ends where it says so, or where a later one of its kind begins, or where a stated one takes its place. */
function endOf(rows: readonly CompiledRow[], row: CompiledRow): number {
  const rivals = rows.filter(
    (other) =>
      other !== row &&
      (other.isOwn || !row.isOwn) &&
      other.regions?.join() === row.regions?.join() &&
      sameHours(other, row),
  );
  const next = rivals
    .filter((other) => other.fromSeconds > row.fromSeconds || (other.isOwn && !row.isOwn))
    .map((other) => Math.max(other.fromSeconds, row.fromSeconds));
  return Math.min(row.untilSeconds, ...next);
}

function sameHours(left: CompiledRow, right: CompiledRow): boolean {
  return left.hours?.begin === right.hours?.begin && left.hours?.end === right.hours?.end;
}

function clock(second: number): string {
  return `${String(Math.floor(second / 3600)).padStart(2, '0')}:${String((second % 3600) / 60).padStart(2, '0')}`;
}

/** USD per million tokens, or per call: what nano-USD per million units come to. */
export function showCard(card: RateCard | null): Record<string, string> | null {
  if (card === null) return null;
  return Object.fromEntries(
    Object.entries(card).map(([name, rate]) => {
      const isCall = callRateNames.some((call) => call === name);
      return [name, formatUsd(isCall ? Math.round(rate / 1e6) : rate) ?? ''];
    }),
  );
}
