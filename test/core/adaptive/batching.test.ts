import { expect, it } from 'vitest';
import { SimulatedPool } from './simulated-pool.ts';

it('gives way to a GPU that batches and loses three quarters of its slots, whose latency grows for as long as its queue does', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const gpu = new SimulatedPool({
      max: 256,
      slots: 64,
      seed,
      crowding: (running) => 1 + running / 64,
      request: (unit) => ({ serviceMs: 1_000 * (0.7 + 0.6 * unit()), outputTokens: 50 }),
    });
    gpu.pass(100_000).measure(10_000);
    gpu.slots = 16;
    const limits = Array.from({ length: 40 }, () => gpu.pass(1_000).control.limit);
    expect(Math.min(...limits)).toBeLessThanOrEqual(24);
  }
});
