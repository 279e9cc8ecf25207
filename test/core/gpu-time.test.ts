import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GpuClock, type GpuToken } from '../../src/core/gpu-time.ts';

describe('GpuClock', () => {
  it('gives a request that is alone its whole wall time', () => {
    const clock = new GpuClock();
    const token = clock.start(1_000);
    expect(clock.end(token, 4_500)).toBe(3_500);
  });

  it('shares each moment equally among the requests that run in it', () => {
    const clock = new GpuClock();
    const first = clock.start(0);
    const second = clock.start(1_000);
    expect(clock.size).toBe(2);
    expect(clock.end(first, 3_000)).toBe(2_000);
    expect(clock.end(second, 3_500)).toBe(1_500);
    expect(clock.size).toBe(0);
  });

  it('charges nobody for idle time', () => {
    const clock = new GpuClock();
    clock.end(clock.start(0), 10);
    expect(clock.end(clock.start(1_000_000), 1_000_007)).toBe(7);
  });

  it('carries forward what does not divide evenly', () => {
    const clock = new GpuClock();
    const tokens = [clock.start(0), clock.start(0), clock.start(0)];
    const shares = tokens.map((token) => clock.end(token, 10));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(10);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
  });

  it('takes a clock that steps backwards for one that stands still', () => {
    const clock = new GpuClock();
    const token = clock.start(1_000);
    const other = clock.start(400);
    expect(clock.end(other, 1_010)).toBe(5);
    expect(clock.end(token, 900)).toBe(5);
  });

  it('refuses to end a request twice', () => {
    const clock = new GpuClock();
    const token = clock.start(0);
    clock.end(token, 1);
    expect(() => clock.end(token, 2)).toThrow(/already ended/);
    expect(() => new GpuClock().end(token, 2)).toThrow(/another pool/);
  });

  it('hands out exactly the busy wall time, whatever starts and ends when', () => {
    const step = fc.record({ wait: fc.nat(5_000), pick: fc.nat(), starts: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new GpuClock();
        const running: GpuToken[] = [];
        let now = 1_790_000_000_000_000;
        let busy = 0;
        let shared = 0;
        for (const { wait, pick, starts } of steps) {
          if (running.length > 0) busy += wait;
          now += wait;
          const token = starts ? undefined : running.splice(pick % Math.max(1, running.length), 1)[0];
          if (token === undefined) running.push(clock.start(now));
          else shared += clock.end(token, now);
          expect(shared).toBeLessThanOrEqual(busy);
        }
        for (const token of running.splice(0)) shared += clock.end(token, now);
        expect(shared).toBe(busy);
      }),
    );
  });
});
