import { describe, expect, it } from 'vitest';
import { ownRegion } from '../../src/core/shared/region.ts';
import { SharedClock } from '../../src/runtime/shared-clock.ts';

const MINUTE = 60_000;

describe('the clock that servers on one database share', () => {
  /** A machine whose wall clock is off by `skewMs`, and a database whose clock is right. */
  function open(skewMs: number) {
    const time = { trueMs: 1_790_000_000_000, wallMs: skewMs, databaseMs: 0, answerMs: 0 };
    const clock = new SharedClock(
      {
        now: () => time.trueMs + time.wallMs,
        micros: () => (time.trueMs - 1_789_999_000_000) * 1000,
        sleep: () => Promise.resolve(),
      },
      async () => {
        time.trueMs += time.answerMs / 2;
        const now = time.trueMs + time.databaseMs;
        time.trueMs += time.answerMs / 2;
        return now;
      },
    );
    const errorMs = () => clock.now() - (time.trueMs + time.databaseMs);
    return { clock, time, errorMs };
  }

  it('tells the database’s time from the first look on, whatever the machine’s clock says and becomes', async () => {
    const { clock, time, errorMs } = open(-10 * MINUTE);
    expect(errorMs()).toBe(-10 * MINUTE);
    time.answerMs = 300;
    await clock.sync();
    expect(errorMs()).toBe(0);
    time.wallMs = 60 * MINUTE;
    time.trueMs += 5_000;
    expect(errorMs()).toBe(0);
    await clock.sync();
    expect(errorMs()).toBe(0);
  });

  it('follows a clock that was set at half its pace, neither standing still nor going back', async () => {
    for (const jump of [40_000, -40_000]) {
      const { clock, time, errorMs } = open(0);
      await clock.sync();
      time.databaseMs = jump;
      for (let second = 1; second <= 90; second++) {
        const before = clock.now();
        if (second % 10 === 1) await clock.sync();
        time.trueMs += 1_000;
        const passed = clock.now() - before;
        expect(passed).toBeGreaterThanOrEqual(500);
        expect(passed).toBeLessThanOrEqual(1_500);
      }
      expect(errorMs()).toBe(0);
    }
  });

  it('is one clock for the threads of a process: one that starts while it is followed tells what the others tell', async () => {
    const time = { steadyMs: 5_000, wallMs: 1_790_000_000_000 };
    const own = { now: () => time.wallMs, micros: () => time.steadyMs * 1000, sleep: () => Promise.resolve() };
    const region = ownRegion();
    const open = () => new SharedClock(own, async () => time.wallMs, region);
    const first = open();
    await first.sync();
    const begun = first.now();
    time.wallMs -= 20_000;
    await first.sync();
    const later = open();
    await later.sync();
    expect(later.now()).toBe(begun);
    time.steadyMs += 10_000;
    time.wallMs += 10_000;
    expect(first.now()).toBe(begun + 5_000);
    expect(later.now()).toBe(begun + 5_000);
  });

  it('takes a difference over at once that no lease would outlast, and none from an answer that took too long', async () => {
    const { clock, time, errorMs } = open(0);
    await clock.sync();
    time.databaseMs = 60 * MINUTE;
    time.answerMs = 10_000;
    await clock.sync();
    expect(errorMs()).toBe(-60 * MINUTE);
    time.answerMs = 100;
    await clock.sync();
    expect(errorMs()).toBe(0);
  });

  it('goes on as before when nobody answers', async () => {
    let isUp = true;
    const clock = new SharedClock({ now: () => 5_000, micros: () => 0, sleep: () => Promise.resolve() }, () =>
      isUp ? Promise.resolve(9_000) : Promise.reject(new Error('away')),
    );
    expect(clock.now()).toBe(5_000);
    await clock.sync();
    isUp = false;
    await expect(clock.sync()).rejects.toThrow('away');
    expect(clock.now()).toBe(9_000);
  });
});
