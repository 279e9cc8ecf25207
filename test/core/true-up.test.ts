import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOut, trueUp } from '../../src/core/true-up.ts';

const count = fc.integer({ min: 0, max: 1_000_000_000_000 });
const bytes = fc.integer({ min: 0, max: 100_000_000 });
const weights = fc
  .uniqueArray(fc.tuple(fc.nat(1_000_000), bytes), { selector: ([line]) => line, minLength: 1, maxLength: 60 })
  .map((pairs) => new Map(pairs));

const sum = (values: Iterable<number>): number => [...values].reduce((left, right) => left + right, 0);

describe('a total that is shared out', () => {
  it('adds up exactly, in whole shares within one of the true proportion', () => {
    fc.assert(
      fc.property(count, weights, (total, given) => {
        const shares = shareOut(total, given);
        expect([...shares.keys()].toSorted()).toEqual([...given.keys()].toSorted());
        expect(sum(shares.values())).toBe(total);
        const whole = sum(given.values());
        for (const [line, share] of shares) {
          expect(Number.isSafeInteger(share) && share >= 0).toBe(true);
          const weight = BigInt(given.get(line) ?? 0);
          const distance = BigInt(share) * BigInt(whole) - BigInt(total) * weight;
          if (whole > 0) expect(distance > -BigInt(whole) && distance < BigInt(whole)).toBe(true);
        }
      }),
    );
  });

  it('does not depend on the order in which the lines are known', () => {
    const shuffled = weights.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray([...given], { minLength: given.size })),
    );
    fc.assert(
      fc.property(count, shuffled, (total, [given, other]) => {
        expect([...shareOut(total, new Map(other))].toSorted()).toEqual([...shareOut(total, given)].toSorted());
      }),
    );
  });

  it('gives what is left to the largest remainders, the earlier line first', () => {
    expect(
      shareOut(
        2,
        new Map([
          [7, 1],
          [3, 1],
          [5, 1],
        ]),
      ),
    ).toEqual(
      new Map([
        [3, 1],
        [5, 1],
        [7, 0],
      ]),
    );
    expect(
      shareOut(
        10,
        new Map([
          [1, 1],
          [2, 2],
        ]),
      ),
    ).toEqual(
      new Map([
        [1, 3],
        [2, 7],
      ]),
    );
  });

  it('is shared evenly when nothing weighs anything', () => {
    expect(
      shareOut(
        3,
        new Map([
          [0, 0],
          [1, 0],
        ]),
      ),
    ).toEqual(
      new Map([
        [0, 2],
        [1, 1],
      ]),
    );
    expect(shareOut(3, new Map())).toEqual(new Map());
  });

  it('is shared by the request for input and by the answer for output', () => {
    const lines = [
      { line: 0, input: 30, output: 1 },
      { line: 1, input: 10, output: 3 },
    ];
    expect(trueUp({ input: 8, output: 4 }, lines)).toEqual(
      new Map([
        [0, { input: 6, output: 1 }],
        [1, { input: 2, output: 3 }],
      ]),
    );
  });
});
