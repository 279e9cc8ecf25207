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
const DRAWS_MAX = 10_000_000;
const RESAMPLES_LEAST = 200;
/** More rows than these save nothing. */
const ROWS_MAX = 4_096;
const ITEMS_AT_ONCE = 2_000;

/** How many resamples are made of so many items, when `wanted` would be made of few. */
export function resamplesFor(items: number, wanted: number): number {
  return Math.min(wanted, Math.max(RESAMPLES_LEAST, Math.floor(DRAWS_MAX / Math.max(1, items))));
}

/**
 * The paired bootstrap: each resample draws as many items as there are, with replacement, and takes every column's mean
 * over that same draw. The interval of a column is that of its means between the outer percentiles. A column of
 * differences, item by item, so gets the interval of a paired comparison.
 *
 * A generator that yields again and again, so that a caller may let others run.
 */
export function* bootstrap(columns: readonly Column[], options: Resampling): Generator<void, EvalInterval[]> {
  const { places, rows } = yield* distinctRows(columns);
  const sums = columns.map((column) => ({ ...compact(column, rows), means: new Float64Array(options.resamples) }));
  const random = new SeededRandom(options.seed);
  const drawn = new Float64Array(rows.length);
  const items = places.length;
  for (let resample = 0; resample < options.resamples && items > 0; resample += 1) {
    drawn.fill(0);
    for (let draw = 0; draw < items; draw += 1) {
      const row = places[random.below(items)] ?? 0;
      drawn[row] = (drawn[row] ?? 0) + 1;
    }
    for (const { values, present, means } of sums) {
      means[resample] = product(values, drawn) / (present === null ? items : product(present, drawn));
    }
    yield;
  }
  return columns.map((column, index) =>
    intervalOf(column, sums[index]?.means ?? new Float64Array(), options.confidence),
  );
}

/** Items with the same values in all columns are one row: resampling then sums over few rows, however many items. */
function* distinctRows(columns: readonly Column[]): Generator<void, { places: Uint32Array; rows: Uint32Array }> {
  const length = columns[0]?.length ?? 0;
  const places = new Uint32Array(length);
  const rows: number[] = [];
  const known = new Map<string, number>();
  for (let item = 0; item < length; item += 1) {
    const key = columns.map((column) => column[item]).join(' ');
    let row = known.get(key);
    if (row === undefined) {
      row = rows.length;
      if (row === ROWS_MAX) return eachItsOwn(length);
      known.set(key, row);
      rows.push(item);
    }
    places[item] = row;
    if (item % ITEMS_AT_ONCE === 0) yield;
  }
  return { places, rows: Uint32Array.from(rows) };
}

function eachItsOwn(length: number): { places: Uint32Array; rows: Uint32Array } {
  const places = Uint32Array.from({ length }, (_none, item) => item);
  return { places, rows: places };
}

/** The values of the rows, 0 where there is none; `present` says where, and is null where none is missing. */
function compact(column: Column, rows: Uint32Array): { values: Float64Array; present: Float64Array | null } {
  const values = Float64Array.from(rows, (item) => column[item] ?? Number.NaN);
  const present = values.map((value) => Number(!Number.isNaN(value)));
  const isWhole = !present.includes(0);
  return { values: values.map((value) => (Number.isNaN(value) ? 0 : value)), present: isWhole ? null : present };
}

function product(values: Float64Array, times: Float64Array): number {
  let sum = 0;
  for (let row = 0; row < values.length; row += 1) sum += (values[row] ?? 0) * (times[row] ?? 0);
  return sum;
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
