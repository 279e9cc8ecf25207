import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrap, type Column, meanOf, resamplesFor } from '../../../src/core/eval/bootstrap.ts';
import { SeededRandom } from '../../../src/core/eval/seeded-random.ts';
import type { EvalInterval } from '../../../src/protocol/eval-comparison.ts';

const OPTIONS = { seed: 7, resamples: 2_000, confidence: 0.95 };

/** Runs a generator to its end. */
function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function intervalOf(values: readonly number[], options = OPTIONS): EvalInterval {
  return finish(bootstrap([Float64Array.from(values)], options))[0] ?? { value: null, low: null, high: null };
}

function alternating(items: number): number[] {
  return Array.from({ length: items }, (_none, index) => index % 2);
}

describe('the paired bootstrap', () => {
  it('gives the interval of a mean that theory gives: 0.5 of 400 items is 0.5 ± 0.049', () => {
    const { value, low, high } = intervalOf(alternating(400));
    expect(value).toBe(0.5);
    expect(Math.abs((low ?? 0) - 0.451)).toBeLessThan(0.006);
    expect(Math.abs((high ?? 0) - 0.549)).toBeLessThan(0.006);
  });

  it('covers the true mean about as often as it says', () => {
    const random = new SeededRandom(11);
    let covered = 0;
    for (let trial = 0; trial < 300; trial += 1) {
      const values = Array.from({ length: 80 }, () => Number(random.below(10) < 3));
      const { low, high } = intervalOf(values, { seed: trial, resamples: 300, confidence: 0.95 });
      if ((low ?? 1) <= 0.3 && 0.3 <= (high ?? 0)) covered += 1;
    }
    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.985);
  });

  it('is paired: a target that is better on every item by the same amount is so without doubt', () => {
    const right = alternating(100).map((value) => value / 2);
    const left = right.map((value) => value + 0.125);
    const columns: Column[] = [left, right].map((values) => Float64Array.from(values));
    columns.push(Float64Array.from(left, (value, index) => value - (right[index] ?? 0)));
    const [a, b, difference] = finish(bootstrap(columns, OPTIONS));
    expect(difference).toEqual({ value: 0.125, low: 0.125, high: 0.125 });
    expect((a?.high ?? 0) - (a?.low ?? 0)).toBeGreaterThan(0.05);
    expect(b?.high).toBeCloseTo((a?.high ?? 0) - 0.125, 12);
  });

  it('depends on the seed, the resamples and the values alone', () => {
    const values = Array.from({ length: 50 }, (_none, index) => (index * 37) % 11);
    expect(intervalOf(values)).toEqual(intervalOf(values));
    expect(intervalOf(values)).not.toEqual(intervalOf(values, { ...OPTIONS, seed: 8 }));
    const column = Float64Array.from(values);
    const beside = finish(bootstrap([column, Float64Array.from(values, (value) => -value)], OPTIONS));
    expect(beside[0]).toEqual(intervalOf(values));
    expect(beside[1]?.low).toBeCloseTo(-(beside[0]?.high ?? 0), 12);
  });

  it('leaves out items without a value, and says nothing of none', () => {
    const { value, low, high } = intervalOf([Number.NaN, 1, Number.NaN, 1]);
    expect({ value, low, high }).toEqual({ value: 1, low: 1, high: 1 });
    expect(intervalOf([Number.NaN])).toEqual({ value: null, low: null, high: null });
    expect(intervalOf([])).toEqual({ value: null, low: null, high: null });
    expect(intervalOf([3])).toEqual({ value: 3, low: 3, high: 3 });
  });

  it('holds intervals between the least and the greatest value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 30 }),
        fc.maxSafeInteger(),
        (values, seed) => {
          const { low, high } = intervalOf(values, { seed, resamples: 50, confidence: 0.95 });
          const mean = meanOf(Float64Array.from(values)) ?? Number.NaN;
          expect(low).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
          expect(high).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
          expect(low).toBeLessThanOrEqual(high ?? Number.NaN);
          expect(Number.isNaN(mean)).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('makes fewer resamples of many items, and never too few', () => {
    expect([10, 10_000, 40_000, 10_000_000].map((items) => resamplesFor(items, 2_000))).toEqual([2000, 1000, 250, 200]);
    expect(resamplesFor(10_000_000, 100)).toBe(100);
  });
});

describe('SeededRandom', () => {
  it('gives every number of a range as often as the others', () => {
    const random = new SeededRandom(3);
    const counts = Array.from({ length: 7 }, () => 0);
    for (let draw = 0; draw < 70_000; draw += 1) {
      const value = random.below(7);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // Of six degrees of freedom: exceeded by chance once in a thousand seeds.
    expect(chiSquare).toBeLessThan(22.5);
  });

  it('gives other sequences for other seeds, large and negative ones too', () => {
    const firsts = [0, 1, -1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER].map((seed) => {
      const random = new SeededRandom(seed);
      return [random.below(1e9), random.below(1e9)].join();
    });
    expect(new Set(firsts).size).toBe(firsts.length);
  });
});
