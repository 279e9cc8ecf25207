import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawSample } from '../../../src/core/eval/draw-sample.ts';

describe('drawSample', () => {
  it('takes a share of all, but at least so many, and never more than there are', () => {
    expect(drawSample(10_000, { share: 0.01, least: 30 }, 1)).toHaveLength(100);
    expect(drawSample(1_000, { share: 0.01, least: 30 }, 1)).toHaveLength(30);
    expect(drawSample(7, { share: 0.01, least: 30 }, 1)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(drawSample(0, { count: 5 }, 1)).toEqual([]);
  });

  it('takes exactly as many as asked for, in order, none twice, and the same for the same seed', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.nat(), (total, count, seed) => {
        const places = drawSample(total, { count }, seed);
        expect(places).toHaveLength(Math.min(total, count));
        expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b));
        expect(places.every((place) => place >= 0 && place < total)).toBe(true);
        expect(drawSample(total, { count }, seed)).toEqual(places);
      }),
    );
  });

  it('takes each item as often as the others, over many seeds', () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let seed = 0; seed < 4_000; seed += 1) {
      for (const place of drawSample(10, { count: 3 }, seed)) counts[place] = (counts[place] ?? 0) + 1;
    }
    // 1200 each; three standard deviations are 87.
    expect(counts.filter((count) => Math.abs(count - 1_200) > 110)).toEqual([]);
  });
});
