import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../../providers/shared/retry-after.ts';

const now = Date.parse('2026-11-20T12:00:00Z');

const cases: [string, Record<string, string>, number | null][] = [
  ['nothing', {}, null],
  ['milliseconds', { 'retry-after-ms': '1500' }, 1500],
  ['fractional milliseconds, rounded up', { 'retry-after-ms': '20.2' }, 21],
  ['Azure milliseconds', { 'x-ms-retry-after-ms': '700' }, 700],
  ['milliseconds before seconds', { 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
  ['seconds', { 'retry-after': '2' }, 2000],
  ['fractional seconds', { 'retry-after': '0.5' }, 500],
  ['zero', { 'retry-after': '0' }, 0],
  ['negative seconds', { 'retry-after': '-5' }, null],
  ['a huge wait, capped at ten minutes', { 'retry-after': '1000000000' }, 600_000],
  ['an HTTP date', { 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }, 30_000],
  ['an HTTP date of RFC 850', { 'retry-after': 'Friday, 20-Nov-26 12:00:30 GMT' }, 30_000],
  ['an HTTP date of asctime, which means UTC', { 'retry-after': 'Fri Nov 20 12:00:30 2026' }, 30_000],
  ['a date with an offset', { 'retry-after': 'Fri, 20 Nov 2026 14:00:30 +0200' }, 30_000],
  ['an ISO date', { 'retry-after': '2026-11-20T12:00:30.5Z' }, 30_500],
  ['an ISO date without a zone', { 'retry-after': '2026-11-20T12:00:30' }, null],
  ['a duration', { 'retry-after': '1m2.5s' }, 62_500],
  ['two headers', { 'retry-after': '2, 5' }, 5_000],
  ['an HTTP date in the past', { 'retry-after': 'Fri, 20 Nov 2026 11:00:00 GMT' }, 0],
  ['an HTTP date far away, capped', { 'retry-after': 'Sat, 20 Nov 2027 12:00:00 GMT' }, 600_000],
  ['garbage', { 'retry-after': 'soon' }, null],
  ['garbage that Date.parse would read', { 'retry-after': 'May 5' }, null],
  ['an empty text', { 'retry-after': '' }, null],
  ['unreadable milliseconds beside seconds', { 'retry-after-ms': 'x', 'retry-after': '3' }, 3000],
  [
    'the reset of the limit that is used up',
    {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1m30.5s',
      'x-ratelimit-remaining-tokens': '100',
      'x-ratelimit-reset-tokens': '6m0s',
    },
    90_500,
  ],
  [
    'the later reset when remainders are not told',
    { 'x-ratelimit-reset-requests': '120ms', 'x-ratelimit-reset-tokens': '2s' },
    2000,
  ],
  [
    'a date by the provider’s own clock, which is hours ahead',
    { date: 'Fri, 20 Nov 2026 17:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 17:00:02 GMT' },
    2_000,
  ],
  [
    'a date by the provider’s own clock, which is hours behind',
    { date: 'Fri, 20 Nov 2026 07:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 07:00:45 GMT' },
    45_000,
  ],
  ['a date beside one of the provider’s that is none', { date: 'today', 'retry-after': '2026-11-20T12:00:09Z' }, 9_000],
  ['a Unix time', { 'retry-after': String(now / 1000 + 20) }, 20_000],
  ['a Unix time in milliseconds that is over', { 'retry-after': String(now - 1) }, 0],
  ['a reset as a Unix time', { 'x-ratelimit-reset-requests': String(now / 1000 + 7) }, 7_000],
  ['a reset as a date', { 'x-ratelimit-reset-tokens': '2026-11-20T12:00:05Z' }, 5_000],
  [
    'a reset as a date by a clock that is off',
    { date: 'Fri, 20 Nov 2026 15:00:00 GMT', 'x-ratelimit-reset-requests': '2026-11-20T15:00:03Z' },
    3_000,
  ],
  ['a reset that is no duration', { 'x-ratelimit-reset-requests': '5 parsecs' }, null],
];

describe('the wait that a 429 asks for', () => {
  const zone = process.env.TZ;
  beforeAll(() => {
    process.env.TZ = 'America/New_York';
  });
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  it.each(cases)('reads %s', (_name, headers, expected) => {
    expect(retryAfterMs(headers, 429, now)).toBe(expected);
  });

  it('does not take rate-limit resets for a wait under another status', () => {
    expect(retryAfterMs({ 'x-ratelimit-reset-requests': '2s' }, 503, now)).toBeNull();
    expect(retryAfterMs({ 'retry-after': '2' }, 503, now)).toBe(2000);
  });
});
