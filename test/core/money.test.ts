import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  amountFor,
  divideHalfEven,
  formatUsd,
  parseUsdToNano,
  safeAmountFor,
  toSafeInteger,
} from '../../src/core/money.ts';

describe('parseUsdToNano', () => {
  it('reads decimal strings exactly', () => {
    expect(parseUsdToNano('0.000001234')).toBe(1234n);
    expect(parseUsdToNano('30')).toBe(30_000_000_000n);
    expect(parseUsdToNano('0.1500000000000')).toBe(150_000_000n);
    expect(parseUsdToNano('-1.5')).toBe(-1_500_000_000n);
    expect(parseUsdToNano('99999999999999.000000001')).toBe(99_999_999_999_999_000_000_001n);
  });

  it('refuses what is not a decimal amount or is finer than a nano-dollar', () => {
    for (const text of ['', ' 1', '1e3', '.5', '5.', '0x10', '1,000', 'NaN', '+1', '0.0000000001']) {
      expect(() => parseUsdToNano(text), text).toThrow(RangeError);
    }
  });
});

describe('formatUsd', () => {
  it('writes exact decimals without trailing zeros', () => {
    expect(formatUsd(1234)).toBe('0.000001234');
    expect(formatUsd(0)).toBe('0');
    expect(formatUsd(1_000_000_000n)).toBe('1');
    expect(formatUsd(2_179_000_000n)).toBe('2.179');
    expect(formatUsd(-10n)).toBe('-0.00000001');
    expect(formatUsd(10n ** 30n + 1n)).toBe('1000000000000000000000.000000001');
    expect(formatUsd(null)).toBeNull();
  });

  it('refuses numbers that are no longer exact', () => {
    for (const nano of [0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(() => formatUsd(nano), String(nano)).toThrow(RangeError);
    }
  });

  it('is undone by parseUsdToNano for every amount', () => {
    fc.assert(fc.property(fc.bigInt(), (nano) => parseUsdToNano(formatUsd(nano) ?? '') === nano));
  });
});

describe('divideHalfEven', () => {
  it('rounds ties to the even neighbour, on both sides of zero', () => {
    const rounded = [-25n, -15n, -5n, 5n, 15n, 25n, 26n, -26n].map((n) => divideHalfEven(n, 10n));
    expect(rounded).toEqual([-2n, -2n, 0n, 0n, 2n, 2n, 3n, -3n]);
    expect(divideHalfEven(15n, -10n)).toBe(-2n);
    expect(() => divideHalfEven(1n, 0n)).toThrow(RangeError);
  });

  it('is the nearest integer to the exact quotient, and the even one of two that are as near', () => {
    const divisor = fc.bigInt({ min: -10_000n, max: 10_000n }).filter((d) => d !== 0n);
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), divisor, (n, d) => {
        const size = d < 0n ? -d : d;
        const error = divideHalfEven(n, d) * d - n;
        const twice = (error < 0n ? -error : error) * 2n;
        return twice < size || (twice === size && divideHalfEven(n, d) % 2n === 0n);
      }),
    );
  });
});

describe('amountFor', () => {
  it('is count times rate over a million, rounded once', () => {
    expect(amountFor(3, 500_000)).toBe(2n);
    expect(amountFor(1, 500_000)).toBe(0n);
    expect(amountFor(1_000_000, 75_000_000)).toBe(75_000_000n);
    expect(amountFor(Number.MAX_SAFE_INTEGER, 600_000_000_000)).toBe(5_404_319_552_844_594_600_000n);
  });

  it('never differs from the exact product by more than half a nano-dollar', () => {
    const whole = fc.maxSafeNat();
    fc.assert(
      fc.property(whole, whole, (count, rate) => {
        const error = amountFor(count, rate) * 1_000_000n - BigInt(count) * BigInt(rate);
        return error <= 500_000n && error >= -500_000n;
      }),
    );
  });
});

describe('safeAmountFor', () => {
  it('is amountFor, with or without bigints, and null where that is no safe integer', () => {
    const expected = (count: number, rate: number): number | null => {
      const amount = amountFor(count, rate);
      return amount > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(amount);
    };
    const agrees = (count: number, rate: number): void => {
      expect(safeAmountFor(count, rate)).toBe(expected(count, rate));
    };
    const whole = fc.maxSafeNat();
    fc.assert(fc.property(whole, whole, agrees));
    fc.assert(fc.property(fc.nat(2_000_000), fc.nat(1_000_000_000), agrees), { numRuns: 2_000 });
    // Ties, and the border of what a double holds.
    fc.assert(fc.property(fc.nat(10_000), (half) => agrees(half * 2 + 1, 500_000)));
    for (const rate of [1, 999_999, 1_000_000, 1_000_001]) agrees(Math.floor(Number.MAX_SAFE_INTEGER / rate), rate);
    agrees(Number.MAX_SAFE_INTEGER, 1_000_001);
  });
});

describe('toSafeInteger', () => {
  it('gives the number, and refuses what a number cannot hold exactly', () => {
    expect(toSafeInteger(9_007_199_254_740_991n)).toBe(Number.MAX_SAFE_INTEGER);
    expect(toSafeInteger(-5n)).toBe(-5);
    expect(() => toSafeInteger(9_007_199_254_740_992n)).toThrow(RangeError);
  });
});
