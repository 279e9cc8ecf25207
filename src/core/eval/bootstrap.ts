import type { EvalInterval } from '../../protocol/eval-comparison.ts';
import { SeededRandom } from './seeded-random.ts';

/** Values of the items in their order; NaN where an item has none. */
export type Column = Float64Array;

export interface Resampling {
  seed: number;
  resamples: number;
  /** Such as 0.95. */
  confidence: number;
}

/** Draws that one comparison may make: more items get fewer resamples, as their intervals need fewer. */
const DRAWS_MAX = 20_000_000;
const RESAMPLES_LEAST = 200;

/** How many resamples are made of so many items, when `wanted` would be made of few. */
export function resamplesFor(items: number, wanted: number): number {
  return Math.min(wanted, Math.max(RESAMPLES_LEAST, Math.floor(DRAWS_MAX / Math.max(1, items))));
}

/**
 * The paired bootstrap: each resample draws as many items as there are, with replacement, and takes every column's mean
 * over that same draw. The interval of a column is that of its means between the outer percentiles. A column of
 * differences, item by item, so gets the interval of a paired comparison.
 *
 * A generator that yields after each resample, so that a caller may let others run.
 */
export function* bootstrap(columns: readonly Column[], options: Resampling): Generator<void, EvalInterval[]> {
  const { places, rows } = distinctRows(columns);
  const means = columns.map(() => new Float64Array(options.resamples));
  const random = new SeededRandom(options.seed);
  const drawn = new Uint32Array(rows.length);
  for (let resample = 0; resample < options.resamples && places.length > 0; resample += 1) {
    drawn.fill(0);
    for (let draw = 0; draw < places.length; draw += 1) {
      const row = places[random.below(places.length)] ?? 0;
      drawn[row] = (drawn[row] ?? 0) + 1;
    }
    for (const [index, column] of columns.entries()) {
      const kept = means[index];
      if (kept) kept[resample] = weightedMean(column, rows, drawn);
    }
    yield;
  }
  return columns.map((column, index) => intervalOf(column, means[index] ?? new Float64Array(), options.confidence));
}

/** Items with the same values in all columns are one row: resampling then sums over few rows, however many items. */
function distinctRows(columns: readonly Column[]): { places: Uint32Array; rows: Uint32Array } {
  const length = columns[0]?.length ?? 0;
  const places = new Uint32Array(length);
  const rows: number[] = [];
  const known = new Map<string, number>();
  for (let item = 0; item < length; item += 1) {
    const key = columns.map((column) => column[item]).join(' ');
    let row = known.get(key);
    if (row === undefined) {
      row = rows.length;
      known.set(key, row);
      rows.push(item);
    }
    places[item] = row;
  }
  return { places, rows: Uint32Array.from(rows) };
}

/** NaN when none of the drawn items has a value. */
function weightedMean(column: Column, rows: Uint32Array, drawn: Uint32Array): number {
  let sum = 0;
  let weight = 0;
  for (let row = 0; row < rows.length; row += 1) {
    const value = column[rows[row] ?? 0] ?? Number.NaN;
    const times = drawn[row] ?? 0;
    if (times === 0 || Number.isNaN(value)) continue;
    sum += value * times;
    weight += times;
  }
  return weight === 0 ? Number.NaN : sum / weight;
}

function intervalOf(column: Column, means: Float64Array, confidence: number): EvalInterval {
  const value = meanOf(column);
  if (value === null) return { value, low: null, high: null };
  const sorted = means.filter((mean) => !Number.isNaN(mean)).sort();
  const tail = (1 - confidence) / 2;
  return { value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/** Mean of the values that are there; null when there are none. */
export function meanOf(column: Column): number | null {
  let sum = 0;
  let count = 0;
  for (const value of column) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
  }
  return count === 0 ? null : sum / count;
}

/** The quantile of sorted values, between the two nearest by their distance; null of none. */
function quantile(sorted: Float64Array, share: number): number | null {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  if (below === undefined || above === undefined) return null;
  return below + (above - below) * (at - Math.floor(at));
}
