import { expect, it } from 'vitest';
import { SimulatedPool } from './simulated-pool.ts';

const SERVICE_MS = [5, 50, 1_500];

it('takes no slow model beside quick ones, whose answers are as long, for a pool that has become slow', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const pool = new SimulatedPool({
      max: 128,
      slots: 64,
      seed,
      request: (unit) => {
        const model = Math.floor(unit() * SERVICE_MS.length);
        return { model: `m${model}`, serviceMs: (SERVICE_MS[model] ?? 0) * (0.8 + 0.4 * unit()), outputTokens: 1 };
      },
    });
    const limits = Array.from({ length: 60 }, () => pool.pass(2_000).control.limit).slice(30);
    // A look at what less would do is at 0.6 of the slots.
    expect(Math.min(...limits)).toBeGreaterThanOrEqual(32);
  }
});

it('finds a pool that loses slots as soon where its models are many', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const pool = new SimulatedPool({
      max: 128,
      slots: 64,
      seed,
      request: (unit) => {
        const model = Math.floor(unit() * 60);
        return { model: `m${model}`, serviceMs: 200 * (0.8 + 0.4 * unit()), outputTokens: 20 };
      },
    });
    pool.pass(60_000);
    pool.slots = 16;
    const limits = Array.from({ length: 5 }, () => pool.pass(1_000).control.limit);
    expect(Math.min(...limits)).toBeLessThanOrEqual(24);
  }
});
