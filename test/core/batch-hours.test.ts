import { describe, expect, it } from 'vitest';
import { isOpenAt, nextMinute, nextOpening, openFor, scheduleSchema } from '../../src/core/batch-hours.ts';

const at = (text: string) => Date.parse(text);

describe('batch hours', () => {
  it('passes midnight, and counts a window to the day it begins on', () => {
    const nights = scheduleSchema.parse({ windows: [{ days: ['fri'], from: '22:00', to: '06:00' }] });
    expect(isOpenAt(nights, at('2026-11-27T21:59:59Z'))).toBe(false);
    expect(isOpenAt(nights, at('2026-11-27T22:00:00Z'))).toBe(true);
    expect(isOpenAt(nights, at('2026-11-28T05:59:59Z'))).toBe(true);
    expect(isOpenAt(nights, at('2026-11-28T06:00:00Z'))).toBe(false);
    expect(isOpenAt(nights, at('2026-11-27T05:00:00Z'))).toBe(false);
  });

  it('keeps local time through a change of the clocks', () => {
    const berlin = scheduleSchema.parse({ time_zone: 'Europe/Berlin', windows: [{ from: '20:00', to: '24:00' }] });
    expect(isOpenAt(berlin, at('2026-07-01T18:00:00Z'))).toBe(true);
    expect(isOpenAt(berlin, at('2026-12-01T18:00:00Z'))).toBe(false);
    expect(isOpenAt(berlin, at('2026-12-01T19:00:00Z'))).toBe(true);
  });

  it.each([
    // The hour that is left out, the hour that comes twice, and nights with an hour less or more.
    ['Europe/Berlin', '2026-03-28T12:00:00Z', '2026-10-24T12:00:00Z', 180],
    ['America/New_York', '2026-03-07T17:00:00Z', '2026-10-31T17:00:00Z', 150],
  ])('is open for what there is of local time in %s when its clocks change', (zone, spring, fall, longest) => {
    const minutes = (from: string, to: string, noon: string): number => {
      const schedule = scheduleSchema.parse({ time_zone: zone, windows: [{ from, to }] });
      const fromMs = at(noon);
      return openFor([schedule], fromMs, Number.POSITIVE_INFINITY, fromMs + 86_400_000).openMs / 60_000;
    };
    expect(minutes('22:00', '06:00', spring)).toBe(7 * 60);
    expect(minutes('22:00', '06:00', fall)).toBe(9 * 60);
    expect(minutes('02:00', '03:00', spring)).toBe(0);
    expect(minutes('01:30', '03:30', spring)).toBe(60);
    expect(minutes('01:30', '03:30', fall)).toBe(longest);
    expect(minutes('23:30', '00:30', fall)).toBe(60);
  });

  it('is open when any window is, and for whole days', () => {
    const schedule = scheduleSchema.parse({
      windows: [
        { days: ['sat', 'sun'], from: '00:00', to: '24:00' },
        { from: '12:00', to: '13:00' },
      ],
    });
    expect(isOpenAt(schedule, at('2026-11-28T03:00:00Z'))).toBe(true);
    expect(isOpenAt(schedule, at('2026-11-30T12:30:00Z'))).toBe(true);
    expect(isOpenAt(schedule, at('2026-11-30T13:00:00Z'))).toBe(false);
    expect(nextMinute(at('2026-11-30T12:59:30Z'))).toBe(at('2026-11-30T13:00:00Z'));
  });

  it('finds the next moment at which all of several are open, and none where there is none in time', () => {
    const nights = scheduleSchema.parse({ windows: [{ from: '22:00', to: '06:00' }] });
    const berlin = scheduleSchema.parse({
      time_zone: 'Europe/Berlin',
      windows: [{ days: ['sat'], from: '00:30', to: '24:00' }],
    });
    const friday = at('2026-11-27T12:34:56.789Z');
    const week = friday + 7 * 86_400_000;
    expect(nextOpening([], friday, friday)).toBe(friday);
    expect(nextOpening([nights], friday, week)).toBe(at('2026-11-27T22:00:00Z'));
    expect(nextOpening([nights, berlin], friday, week)).toBe(at('2026-11-27T23:30:00Z'));
    expect(nextOpening([nights], at('2026-11-27T23:00:30Z'), week)).toBe(at('2026-11-27T23:00:30Z'));
    expect(nextOpening([nights], friday, at('2026-11-27T21:59:59Z'))).toBeNull();
    const days = scheduleSchema.parse({ windows: [{ from: '06:00', to: '22:00' }] });
    expect(nextOpening([nights, days], friday, week)).toBeNull();
  });

  it('counts the time that it is open, and finds the moment when it was open for long enough', () => {
    const nights = scheduleSchema.parse({ windows: [{ from: '22:00', to: '06:00' }] });
    const hour = 3_600_000;
    const from = at('2026-11-27T21:00:00Z');
    const day = from + 24 * hour;
    expect(openFor([], from, 5 * hour, day)).toEqual({ openMs: 5 * hour, atMs: from + 5 * hour });
    expect(openFor([nights], from, hour / 2, day)).toEqual({ openMs: hour / 2, atMs: from + 1.5 * hour });
    expect(openFor([nights], from, 8.5 * hour, day + 24 * hour).atMs).toBe(at('2026-11-28T22:30:00Z'));
    expect(openFor([nights], from, Number.POSITIVE_INFINITY, day)).toEqual({ openMs: 8 * hour, atMs: day });
  });

  it('refuses zones and times that do not exist, by name', () => {
    const issues = scheduleSchema.safeParse({
      time_zone: 'Europe/Nowhere',
      windows: [{ from: '25:00', to: '6:00' }],
    }).error?.issues;
    expect(issues?.map(({ path }) => path.join('.'))).toEqual(['time_zone', 'windows.0.from', 'windows.0.to']);
    for (const [from, to] of [
      ['10:00', '10:00'],
      ['24:00', '00:00'],
      ['24:00', '24:00'],
    ]) {
      expect(scheduleSchema.safeParse({ windows: [{ from, to }] }).error?.issues[0]?.message).toMatch(
        'begins when it ends',
      );
    }
  });
});
