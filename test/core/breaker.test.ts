import { describe, expect, it } from 'vitest';
import { Breaker } from '../../src/core/breaker.ts';

describe('Breaker', () => {
  it('stays closed at single refusals between answers', () => {
    const breaker = new Breaker();
    for (let round = 0; round < 20; round++) {
      breaker.failure('pressure', 1_000, 0, 0.5);
      breaker.success();
    }
    expect(breaker.waitMs(0, 5)).toBe(0);
  });

  it('opens after refusals in a row, for at least what the provider asked', () => {
    const breaker = new Breaker();
    for (let count = 0; count < 5; count++) breaker.failure('pressure', 2_000, 0, 0);
    expect(breaker.waitMs(0, 0)).toBe(2_000);
    expect(breaker.unreachable).toBe(false);
  });

  it('lets one probe through after the pause and closes on its success', () => {
    const breaker = new Breaker();
    breaker.failure('unreachable', null, 0, 0.5);
    breaker.failure('unreachable', null, 0, 0.5);
    expect(breaker.unreachable).toBe(true);
    const over = breaker.waitMs(0, 0);
    expect(over).toBeGreaterThan(0);
    expect(breaker.waitMs(over, 0)).toBe(0);
    expect(breaker.waitMs(over, 1)).toBe(Number.POSITIVE_INFINITY);
    breaker.success();
    expect(breaker.waitMs(over, 1)).toBe(0);
    expect(breaker.unreachable).toBe(false);
  });

  it('counts the failures of calls that were out when it opened no further, and a failed probe at once', () => {
    const breaker = new Breaker();
    for (let count = 0; count < 50; count++) breaker.failure('pressure', null, 0, 1);
    const first = breaker.waitMs(0, 0);
    expect(first).toBeLessThanOrEqual(700);
    breaker.failure('pressure', null, first, 1);
    expect(breaker.waitMs(first, 0)).toBeGreaterThan(first);
  });

  it('never pauses longer than a minute, or five seconds where nothing answers', () => {
    const busy = new Breaker();
    const gone = new Breaker();
    let now = 0;
    for (let count = 0; count < 30; count++) {
      busy.failure('pressure', 1e9, now, 1);
      gone.failure('unreachable', null, now, 1);
      expect(busy.waitMs(now, 0)).toBeLessThanOrEqual(60_000);
      expect(gone.waitMs(now, 0)).toBeLessThanOrEqual(5_000);
      now += 60_001;
    }
  });
});
