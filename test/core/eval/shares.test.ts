import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cohensKappa, percentile, shareOf, signTest, wilsonInterval } from '../../../src/core/eval/shares.ts';

describe('figures of shares', () => {
  it("give Wilson's interval as published: 8 of 10 is 0.490 to 0.943", () => {
    const { value, low, high } = wilsonInterval(8, 10);
    expect(value).toBe(0.8);
    expect(low).toBeCloseTo(0.49016, 5);
    expect(high).toBeCloseTo(0.94332, 5);
  });

  it('leave room above nothing and below all, and say nothing of nothing', () => {
    expect(wilsonInterval(0, 10)).toMatchObject({ value: 0, low: 0 });
    // 1 - 1 / (1 + n / z²), for n = 10.
    expect(wilsonInterval(0, 10).high).toBeCloseTo(0.277533, 6);
    expect(wilsonInterval(10, 10)).toMatchObject({ value: 1, high: 1 });
    expect(wilsonInterval(10, 10).low).toBeCloseTo(0.722467, 6);
    expect(wilsonInterval(0, 0)).toEqual({ value: null, low: null, high: null });
    expect(shareOf(0, 0)).toBeNull();
  });

  it('lie within their interval, and the interval within 0 and 1', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(2_000), (part, rest) => {
        const { value, low, high } = wilsonInterval(part, part + rest);
        if (value === null || low === null || high === null) return part + rest === 0;
        return 0 <= low && low <= value && value <= high && high <= 1;
      }),
    );
  });

  it('take the percentile at the nearest rank', () => {
    const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect([percentile(ten, 0.5), percentile(ten, 0.9), percentile(ten, 0), percentile(ten, 1)]).toEqual([5, 9, 1, 10]);
    expect(percentile([7], 0.9)).toBe(7);
    expect(percentile([], 0.5)).toBeNull();
  });

  it('test wins against losses exactly: 9 to 1 is 2·(1 + 10) / 2^10', () => {
    expect(signTest(9, 1)).toBeCloseTo(22 / 1024, 12);
    expect(signTest(1, 9)).toBeCloseTo(22 / 1024, 12);
    expect(signTest(5, 5)).toBe(1);
    expect(signTest(1, 0)).toBeCloseTo(1, 12);
    expect(signTest(0, 0)).toBeNull();
    expect(signTest(4_000, 4_200)).toBeGreaterThan(0.02);
    expect(signTest(4_000, 4_200)).toBeLessThan(0.03);
  });

  it("give Cohen's kappa as in the textbook's example of 20, 5, 10 and 15: 0.4", () => {
    expect(cohensKappa(20, 5, 10, 15)).toBeCloseTo(0.4, 12);
    expect(cohensKappa(5, 0, 0, 5)).toBe(1);
    expect(cohensKappa(0, 5, 5, 0)).toBe(-1);
    expect(cohensKappa(10, 0, 0, 0)).toBeNull();
    expect(cohensKappa(0, 0, 0, 0)).toBeNull();
  });
});
