/** Prices from another list beside those that hold: what would change, and the successors that would change it. */
import { amountFor, formatUsd, parseUsdToNano } from './money.ts';
import { callRateNames } from './rates.ts';

export type CardText = Readonly<Record<string, string>>;

/** A model's price as another list has it. Rates that it does not name are not known to it. */
export interface ListedPrice {
  provider: string;
  model: string;
  standard: CardText;
  batch?: CardText;
  tiers?: readonly { above_input_tokens: number; standard: CardText }[];
}

/** A price that holds, as GET /v1/prices shows it. */
export interface HeldPrice {
  provider: string;
  model: string;
  region?: string | readonly string[] | null;
  standard: CardText | null;
  batch: CardText | null;
  tiers: readonly { above_input_tokens: number; standard?: unknown; batch?: unknown }[];
}

export interface PriceChange {
  provider: string;
  model: string;
  /** `standard.input`, `above_200000.output`, … with decimal strings; null where there is none. */
  fields: { name: string; before: string | null; after: string | null }[];
  /** What to send to POST /v1/prices beside `from` and `source`; null when it has to be stated by hand. */
  successor: Record<string, unknown> | null;
  notes: string[];
}

/** What `listed` would change of the price that holds; null when nothing. Without one it is new. */
export function compareWithHeld(listed: ListedPrice, held: HeldPrice | null): PriceChange | null {
  const standard = { ...held?.standard, ...listed.standard };
  const tiers = listed.tiers ?? [];
  const fields = [
    ...differences('standard', held?.standard ?? {}, listed.standard),
    ...(listed.batch === undefined ? [] : differences('batch', held?.batch ?? {}, listed.batch)),
    ...tiers.flatMap((tier) => {
      const known = held?.tiers.find((each) => each.above_input_tokens === tier.above_input_tokens);
      return differences(`above_${tier.above_input_tokens}`, (known?.standard ?? {}) as CardText, tier.standard);
    }),
  ];
  if (fields.length === 0) return null;
  const { provider, model } = held ?? listed;
  const notes: string[] = [];
  const isStatable = tiers.length > 0 || (held?.tiers.length ?? 0) === 0;
  if (!isStatable) notes.push('has context tiers, which this list does not state: state it over the API');
  const batch = listed.batch ?? successorOfBatch(held, standard, notes);
  const ratio = ratioOf(held);
  const successor = {
    provider,
    model,
    ...(held?.region && { region: held.region }),
    standard,
    ...(batch && { batch }),
    ...(tiers.length > 0 && {
      tiers: tiers.map((tier) => {
        const scaled = batch && ratio !== null ? scale(tier.standard, batch, ratio) : null;
        return { ...tier, ...(scaled && { batch: scaled }) };
      }),
    }),
  };
  return { provider, model, fields, successor: isStatable ? successor : null, notes };
}

function differences(name: string, before: CardText, after: CardText): PriceChange['fields'] {
  return Object.entries(after)
    .filter(([rate, price]) => before[rate] === undefined || !isSame(before[rate], price))
    .map(([rate, price]) => ({ name: `${name}.${rate}`, before: before[rate] ?? null, after: price }));
}

function isSame(left: string, right: string): boolean {
  return parseUsdToNano(left) === parseUsdToNano(right);
}

/** Where the batch price was the same part of every standard rate, its successor is the same part of the new ones. */
function successorOfBatch(held: HeldPrice | null, standard: CardText, notes: string[]): CardText | null {
  if (held === null || held.batch === null) return null;
  const ratio = ratioOf(held);
  if (ratio === null) {
    notes.push(
      'its batch price is no plain part of the standard one, so the successor has none: state it over the API',
    );
    return null;
  }
  notes.push(`batch price kept at ${ratio === 2n ? 'half' : 'all'} of the standard one`);
  return scale(standard, held.batch, ratio);
}

const isCall = (rate: string): boolean => callRateNames.some((call) => call === rate);

/** 2 where every batch rate is half of the standard one (calls: the same), 1 where all are the same, else null. */
function ratioOf(held: HeldPrice | null): bigint | null {
  if (held === null || held.batch === null) return null;
  const standard = held.standard ?? {};
  for (const ratio of [2n, 1n]) {
    const fits = Object.entries(held.batch).every(([rate, price]) => {
      const whole = standard[rate];
      const part = isCall(rate) ? 1n : ratio;
      return whole !== undefined && parseUsdToNano(price) * part === parseUsdToNano(whole);
    });
    if (fits) return ratio;
  }
  return null;
}

/** The rates that the batch price had, as a part of new ones. */
function scale(standard: CardText, batch: CardText, ratio: bigint): CardText {
  const rates = Object.keys(batch).filter((rate) => standard[rate] !== undefined);
  return Object.fromEntries(
    rates.map((rate) => {
      const nano = parseUsdToNano(standard[rate] ?? '0');
      return [rate, formatUsd(isCall(rate) ? nano : amountFor(nano, 1_000_000n / ratio)) ?? '0'];
    }),
  );
}

/**
 * The decimal that a number of another list stands for: floating point leaves traces such as 3.4499999999999997. Null when
 * it is finer than a nano-dollar.
 */
export function decimalOf(price: number): string | null {
  if (!Number.isFinite(price) || price < 0) return null;
  const text = price.toFixed(9);
  if (Math.abs(Number(text) - price) > 1e-12 * Math.max(1, price)) return null;
  return text.replace(/\.?0+$/, '') || '0';
}
