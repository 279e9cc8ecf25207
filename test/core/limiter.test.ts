import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MinuteBudget } from '../../src/core/limiter.ts';

describe('MinuteBudget', () => {
  it('never lets more through in a minute than its limit and one burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6_000 }),
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 400 }),
        (perMinute, gaps) => {
          const budget = new MinuteBudget(perMinute, 0);
          let now = 0;
          const sent: number[] = [];
          for (const gap of gaps) {
            now += gap;
            while (budget.waitMs(1, now) === 0 && sent.length < 20_000) {
              budget.spend(1, now);
              sent.push(now);
            }
          }
          const inWindow = sent.filter((time) => time > now - 60_000).length;
          expect(inWindow).toBeLessThanOrEqual(perMinute + Math.max(1, perMinute / 60) + 1);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('says how long to wait, exactly', () => {
    const budget = new MinuteBudget(60, 0);
    budget.spend(1, 0);
    expect(budget.waitMs(1, 0)).toBe(1_000);
    expect(budget.waitMs(1, 600)).toBe(400);
    expect(budget.waitMs(1, 1_000)).toBe(0);
  });

  it('lets a cost above the burst through when full, and makes the next one wait for it', () => {
    const budget = new MinuteBudget(6_000, 0);
    expect(budget.waitMs(1_000, 0)).toBe(0);
    budget.spend(1_000, 0);
    expect(budget.waitMs(1, 0)).toBe(Math.ceil((1 - (100 - 1_000)) / 0.1));
  });

  it('takes back what an estimate took too much, and stands a clock that steps back', () => {
    const budget = new MinuteBudget(60, 10_000);
    budget.spend(1, 10_000);
    budget.spend(-1, 10_000);
    expect(budget.waitMs(1, 5_000)).toBe(0);
  });
});
