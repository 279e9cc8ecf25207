import { describe, expect, it } from 'vitest';
import { meanInFlight } from '../../src/core/concurrency.ts';

const stretches = { start: 100_000, stretchMs: 1_000, count: 4 };
const busy = (busyFrom: number, busyUntil: number, lines: number) => ({
  busyFrom,
  busyUntil,
  busyMs: lines * (busyUntil - busyFrom),
});

describe('requests in flight over time', () => {
  it('are spread over the stretches that they were in flight in', () => {
    // Sixty-four at once that take two and a half seconds are one row at their end.
    expect(meanInFlight([busy(100_500, 103_000, 64)], stretches)).toEqual([64, 64, 64, 0]);
    expect(meanInFlight([busy(100_000, 104_000, 8)], stretches)).toEqual([8, 8, 8, 8]);
  });

  it('of several servers at once add up, and a stretch without any is empty', () => {
    const times = [busy(100_000, 101_000, 10), busy(100_000, 100_500, 4), busy(102_000, 103_500, 2)];
    expect(meanInFlight(times, stretches)).toEqual([12, 0, 2, 2]);
  });

  it('count for the time that is known: not all of the first stretch, nor of the last', () => {
    expect(meanInFlight([busy(100_900, 101_000, 5), busy(101_000, 101_200, 5)], stretches)).toEqual([5, 5, 0, 0]);
  });

  it('lose nothing that lies outside the stretches, and are unknown where nothing was recorded', () => {
    const outside = meanInFlight([busy(99_000, 101_000, 3), busy(103_000, 105_000, 7)], stretches);
    expect(outside).toEqual([3, 0, 0, 7]);
    expect(meanInFlight([], stretches)).toEqual([null, null, null, null]);
    expect(meanInFlight([busy(100_000, 100_000, 0)], stretches)).toEqual([0, 0, 0, 0]);
  });
});
