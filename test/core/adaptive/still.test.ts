import { describe, expect, it } from 'vitest';
import { SimulatedPool } from './simulated-pool.ts';

const SEEDS = [1, 2, 3];

function pool(seed: number): SimulatedPool {
  const request = (unit: () => number) => ({ serviceMs: 200 * (0.7 + 0.6 * unit()), outputTokens: 50 });
  const calm = new SimulatedPool({ max: 256, slots: 64, seed, request });
  calm.control.still = true;
  return calm.pass(15_000);
}

describe('an adaptive limit while somebody waits for answers', () => {
  it('still finds what a pool that lost most of its slots got back, within two minutes', () => {
    for (const seed of SEEDS) {
      const back = pool(seed);
      back.slots = 16;
      expect(back.pass(10_000).control.limit).toBeLessThan(32);
      back.slots = 64;
      expect(back.pass(120_000).measure(10_000).perSecond).toBeGreaterThan(0.85 * 320);
    }
  });

  it('looks at what more would do so seldom and so little that answers are as quick as ever', () => {
    for (const seed of SEEDS) {
      const calm = pool(seed);
      const means = Array.from({ length: 300 }, () => calm.measure(1_000).latencyMs);
      means.sort((a, b) => a - b);
      expect(means[Math.floor(0.95 * means.length)]).toBeLessThan(1.3 * 200);
    }
  });
});
