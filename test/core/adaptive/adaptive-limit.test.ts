import { describe, expect, it } from 'vitest';
import { AdaptiveLimit } from '../../../src/core/adaptive/adaptive-limit.ts';
import { noisy, type PoolOptions, SimulatedPool } from './simulated-pool.ts';

const fixed = (serviceMs: number) => () => ({ serviceMs, outputTokens: 50 });
const SEEDS = [1, 2, 3, 4, 5];

function pool(options: Partial<PoolOptions> = {}): SimulatedPool {
  return new SimulatedPool({ max: 256, slots: 64, request: fixed(200), ...options });
}

/** Answers a second, in the mean over several seeds. */
function meanRate(options: Partial<PoolOptions>, settleMs: number, overMs: number): number {
  const rates = SEEDS.map(
    (seed) =>
      pool({ ...options, seed })
        .pass(settleMs)
        .measure(overMs).perSecond,
  );
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

describe('an adaptive limit', () => {
  it('starts small and finds the capacity of an unknown pool: 64 slots are at least 0.9 full after ten seconds', () => {
    for (const seed of SEEDS) {
      const found = pool({ seed, request: (unit) => ({ serviceMs: 200 * (0.7 + 0.6 * unit()), outputTokens: 50 }) });
      expect(found.control.limit).toBe(8);
      const { perSecond, latencyMs } = found.pass(10_000).measure(10_000);
      expect(perSecond).toBeGreaterThan(0.9 * 320);
      expect(latencyMs).toBeLessThan(1.5 * 200);
    }
  });

  it('follows a pool that silently shrinks from 64 to 16 slots within five seconds, and its return', () => {
    for (const serviceMs of [150, 200, 300]) {
      const shrinking = pool({ request: fixed(serviceMs) }).pass(15_000);
      shrinking.slots = 16;
      const { latencyMs, perSecond } = shrinking.pass(5_000).measure(5_000);
      expect(latencyMs).toBeLessThan(1.5 * serviceMs);
      expect(perSecond).toBeGreaterThan((0.85 * 16_000) / serviceMs);
      shrinking.slots = 64;
      expect(shrinking.pass(20_000).measure(5_000).perSecond).toBeGreaterThan((0.9 * 64_000) / serviceMs);
    }
  });

  it('is not led back up while the queue of a pool that lost most of its slots still grows', () => {
    const shrinking = pool({ slots: 32, max: 64, request: fixed(100) }).pass(15_000);
    shrinking.slots = 4;
    const limits = Array.from({ length: 10 }, () => shrinking.pass(500).control.limit);
    expect(limits.map((limit, index) => limit <= (limits[index - 1] ?? 64))).not.toContain(false);
    expect(limits.at(-1)).toBeLessThan(12);
  });

  it('is not cut for a pool that stood still for a while, but for one that does so again and again', () => {
    const stopped = pool().pass(15_000).stand(9_000);
    expect(stopped.pass(300).measure(5_000).perSecond).toBeGreaterThan(0.9 * 320);
    for (let times = 0; times < 8; times++) stopped.stand(3_000).pass(500);
    expect(stopped.control.limit).toBeLessThan(32);
    expect(stopped.pass(60_000).measure(10_000).perSecond).toBeGreaterThan(0.9 * 320);
  });

  it('never exceeds the operator’s bound, and holds it where the pool has room', () => {
    const roomy = pool({ slots: 10_000, max: 1_024 });
    expect(roomy.pass(2_000).control.limit).toBe(1_024);
    let most = 0;
    for (let second = 0; second < 60; second++) most = Math.max(most, roomy.pass(1_000).sent);
    expect(most).toBe(1_024);
    expect(pool({ max: 3 }).pass(5_000).control.limit).toBe(3);
  });

  it('does not hold back a server that answers at once', () => {
    const instant = pool({ slots: 1, request: fixed(0.08) });
    expect(instant.pass(100).control.limit).toBe(256);
    for (let second = 0; second < 30; second++) expect(instant.pass(1_000).control.limit).toBe(256);
  });

  it('is not fooled by noise: log-normal latencies leave 64 slots at least 0.8 full', () => {
    const mean = 200 * Math.exp(0.5 ** 2 / 2);
    const rate = meanRate(
      { request: (unit) => ({ serviceMs: 200 * noisy(unit, 0.5), outputTokens: 50 }) },
      20_000,
      30_000,
    );
    expect(rate).toBeGreaterThan((0.8 * 64_000) / mean);
  });

  it('does not take long answers for congestion: half of them 20 times as long as the others', () => {
    const rate = meanRate(
      {
        slots: 10_000,
        request: (unit) =>
          unit() < 0.5 ? { serviceMs: 100, outputTokens: 20 } : { serviceMs: 2_000, outputTokens: 500 },
      },
      40_000,
      30_000,
    );
    expect(rate).toBeGreaterThan((0.9 * 256_000) / 1_050);
  });

  it('does not take a batch of longer requests for a slower pool', () => {
    let outputTokens = 20;
    const changing = pool({ slots: 10_000, request: () => ({ serviceMs: 10 * outputTokens, outputTokens }) });
    changing.pass(10_000);
    outputTokens = 300;
    for (let second = 0; second < 30; second++) expect(changing.pass(1_000).control.limit).toBeGreaterThan(200);
  });

  it('does not take prompts that become longer from line to line for a slower pool, as in files sorted by length', () => {
    const shares = SEEDS.map((seed) => {
      let sent = 0;
      const sorted = pool({
        seed,
        request: (unit) => {
          const inputTokens = Math.round(50 * 300 ** ((sent++ % 500) / 500 + 0.1 * unit()));
          return { serviceMs: 50 + 0.1 * inputTokens, outputTokens: 64, inputTokens };
        },
      }).pass(60_000);
      const limits = Array.from({ length: 600 }, () => sorted.pass(200).control.limit);
      return limits.filter((limit) => limit < 32).length / limits.length;
    });
    // Of the time. Where one is far longer than the one before, it does look so for a moment.
    expect(shares.reduce((sum, share) => sum + share, 0) / SEEDS.length).toBeLessThan(0.25);
  });

  it('fills a pool that batches: less speed for each, more for all', () => {
    const gpu = { slots: 256, crowding: (running: number) => 1 + running / 64, request: fixed(500) };
    // 256 at once do 102 a second; one at a time would do 2.
    expect(meanRate(gpu, 60_000, 60_000)).toBeGreaterThan(0.8 * 102);
  });

  it('finds the edge of a server that refuses what it has no slot for', () => {
    const strict = pool({ refuses: true }).pass(10_000);
    const { perSecond, refusals } = strict.measure(20_000);
    expect(perSecond).toBeGreaterThan(0.85 * 320);
    expect(refusals).toBeLessThan(0.05 * 20 * perSecond);
    strict.slots = 16;
    expect(strict.pass(5_000).measure(10_000).perSecond).toBeGreaterThan(0.8 * 80);
  });

  it('keeps its limit while everything is refused for another reason, and when some always are', () => {
    const stormy = new AdaptiveLimit(64);
    let now = 0;
    const round = (refused: (index: number) => boolean) => {
      const sent = stormy.limit;
      now += 100;
      for (let index = 1; index <= sent; index++) {
        if (refused(index)) stormy.refused(index, now - 100, now);
        else stormy.answered({ model: 'm', inputTokens: 10, outputTokens: 10, latencyMs: 100, inFlight: index }, now);
      }
    };
    for (let count = 0; count < 50; count++) round((index) => index % 10 === 0);
    expect(stormy.limit).toBe(64);
    for (let count = 0; count < 200; count++) round(() => true);
    for (let count = 0; count < 100; count++) round(() => false);
    expect(stormy.limit).toBe(64);
  });

  it('finds a pool smaller than where it starts', () => {
    const small = pool({ slots: 4, request: fixed(300) }).pass(20_000);
    expect(small.measure(20_000).latencyMs).toBeLessThan(1.5 * 300);
  });

  it('grows no further while there is too little work to show that more would do', () => {
    const idle = pool({ demand: 10 });
    expect(idle.pass(60_000).control.limit).toBeLessThanOrEqual(32);
    idle.demand = Number.POSITIVE_INFINITY;
    expect(idle.pass(10_000).measure(5_000).perSecond).toBeGreaterThan(0.9 * 320);
  });

  it('ramps without waiting for long answers when the server says that nothing waits, and gives way when something does', () => {
    const slow = pool({ slots: 100, request: fixed(60_000) });
    for (let second = 0; second < 20; second++) {
      slow.pass(1_100);
      slow.control.observed(slow.load, slow.sent, slow.now);
    }
    expect(slow.sent).toBeGreaterThan(95);
    slow.pass(1_100);
    slow.control.observed({ running: 60, waiting: 40, cacheUsage: 0.9 }, slow.sent, slow.now);
    expect(slow.control.limit).toBeLessThanOrEqual(slow.sent - 40);
  });

  /** Lets seconds pass, each with a reading of a server's gauges; the limit after each. */
  function seconds(of: SimulatedPool, count: number, waiting: number): number[] {
    return Array.from({ length: count }, () => {
      of.pass(1_000);
      of.control.observed({ running: of.load.running, waiting, cacheUsage: null }, of.sent, of.now);
      return of.control.limit;
    });
  }

  it.each([3, 40])('does not give way for ever to a gauge that says %i wait while answers come as ever', (waiting) => {
    for (const stale of [pool(), pool().pass(15_000)]) {
      seconds(stale, 60, waiting);
      const limits = seconds(stale, 60, waiting);
      expect(Math.min(...limits)).toBeGreaterThan(40);
      expect(stale.measure(5_000).perSecond).toBeGreaterThan(0.85 * 320);
    }
  });

  it('gives way to a queue that is not its own while answers wait in it', () => {
    let serviceMs = 200;
    const shared = pool({ request: () => ({ serviceMs, outputTokens: 50 }) }).pass(15_000);
    serviceMs = 1_000;
    seconds(shared, 10, 40);
    expect(Math.max(...seconds(shared, 30, 40))).toBeLessThan(4);
    serviceMs = 200;
    seconds(shared, 30, 0);
    expect(shared.measure(5_000).perSecond).toBeGreaterThan(0.85 * 320);
  });

  it('does not grow while the key-value cache is full', () => {
    const full = new AdaptiveLimit(64);
    full.observed({ running: 8, waiting: 0, cacheUsage: 0.99 }, 8, 10_000);
    expect(full.limit).toBe(8);
  });
});
