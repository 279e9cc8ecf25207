import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pickByCount, pickBySize, type WeightedPicker } from '../../src/core/weights.ts';

function countPicks(picker: WeightedPicker, members: number, turns: number): number[] {
  const counts = Array.from({ length: members }, () => 0);
  for (let turn = 0; turn < turns; turn += 1) {
    const index = picker.pick(1);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

const weightLists = fc
  .array(
    fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 9_999 }).map((value) => value / 100),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .filter((weights) => weights.some((weight) => weight > 0));

describe('dividing by count', () => {
  it('gives 10,000 lines at 40/30/30 as 4000/3000/3000', () => {
    expect(countPicks(pickByCount([40, 30, 30]), 3, 10_000)).toEqual([4000, 3000, 3000]);
  });

  it('gives 1,319 lines at 40/30/30 as 528/396/395 within one', () => {
    const counts = countPicks(pickByCount([40, 30, 30]), 3, 1_319);
    for (const [index, wanted] of [528, 396, 395].entries()) {
      expect(Math.abs((counts[index] ?? 0) - wanted)).toBeLessThanOrEqual(1);
    }
    expect(counts[0]! + counts[1]! + counts[2]!).toBe(1_319);
  });

  it('reads decimal weights exactly', () => {
    expect(countPicks(pickByCount([0.7, 0.2, 0.1]), 3, 1_000)).toEqual([700, 200, 100]);
  });

  it('keeps every member within one of its share at every turn', () => {
    fc.assert(
      fc.property(weightLists, fc.integer({ min: 1, max: 400 }), (weights, turns) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const picker = pickByCount(weights);
        const counts = weights.map(() => 0);
        for (let turn = 1; turn <= turns; turn += 1) {
          const index = picker.pick(1);
          counts[index] = (counts[index] ?? 0) + 1;
          for (const [member, weight] of weights.entries()) {
            expect(Math.abs((counts[member] ?? 0) - (turn * weight) / total)).toBeLessThanOrEqual(1 + 1e-6);
          }
        }
        for (const [member, weight] of weights.entries()) if (weight === 0) expect(counts[member]).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps one heavy and very many light members within one of their shares', () => {
    const weights = [50, ...Array.from({ length: 50 }, () => 1)];
    const picker = pickByCount(weights);
    const counts = weights.map(() => 0);
    for (let turn = 1; turn <= 1_000; turn += 1) {
      const index = picker.pick(1);
      counts[index] = (counts[index] ?? 0) + 1;
      const worst = Math.max(
        ...weights.map((weight, member) => Math.abs((counts[member] ?? 0) - (turn * weight) / 100)),
      );
      expect(worst).toBeLessThanOrEqual(1);
    }
  });

  it('picks the same members in the same order each time', () => {
    const order = () => {
      const picker = pickByCount([3, 2.5, 1]);
      return Array.from({ length: 50 }, () => picker.pick(1));
    };
    expect(order()).toEqual(order());
  });

  it('refuses weights that are all zero', () => {
    expect(() => pickByCount([0, 0])).toThrow(RangeError);
    expect(() => pickBySize([])).toThrow(RangeError);
  });
});

describe('dividing by size', () => {
  it('never puts a member above its share by a whole piece', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(weightLists, sizes, (weights, pieces) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const largest = Math.max(...pieces);
        const picker = pickBySize(weights);
        const given = weights.map(() => 0);
        let all = 0;
        for (const piece of pieces) {
          const index = picker.pick(piece);
          given[index] = (given[index] ?? 0) + piece;
          all += piece;
          for (const [member, weight] of weights.entries()) {
            expect((given[member] ?? 0) - (all * weight) / total).toBeLessThanOrEqual(largest * (1 + 1e-9));
            if (weight === 0) expect(given[member]).toBe(0);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('divides 70/30 of very unequal pieces to within two pieces', () => {
    const picker = pickBySize([70, 30]);
    const given = [0, 0];
    let all = 0;
    for (let turn = 0; turn < 5_000; turn += 1) {
      const piece = 1 + ((turn * 7_919) % 1_000);
      given[picker.pick(piece)]! += piece;
      all += piece;
    }
    expect(Math.abs(given[0]! - all * 0.7)).toBeLessThan(2_000);
  });
});
