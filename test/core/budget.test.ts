import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allowance } from '../../src/core/budget-allowance.ts';
import { isTimeZone, NEVER, periodAt } from '../../src/core/budget-period.ts';
import { coversSpender, routeNameOf } from '../../src/core/budget-scope.ts';

const at = (text: string): number => Date.parse(text) / 1000;
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
const bounds = (period: 'day' | 'week' | 'month', zone: string, time: string): string[] => {
  const { startsAt, endsAt } = periodAt(period, zone, at(time), 0);
  return [iso(startsAt), iso(endsAt)];
};

describe('the periods of a budget', () => {
  it('are days, weeks from Monday, and months of the calendar', () => {
    const time = '2028-02-29T12:00:00Z';
    expect(bounds('day', 'UTC', time)).toEqual(['2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z']);
    expect(bounds('week', 'UTC', time)).toEqual(['2028-02-28T00:00:00Z', '2028-03-06T00:00:00Z']);
    expect(bounds('month', 'UTC', time)).toEqual(['2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z']);
    expect(bounds('month', 'UTC', '2026-12-31T23:59:59Z')[1]).toBe('2027-01-01T00:00:00Z');
    expect(bounds('week', 'UTC', '2026-11-29T23:59:59Z')[0]).toBe('2026-11-23T00:00:00Z');
  });

  it('begin at midnight of their time zone, also on days of 23 and 25 hours and at half hours', () => {
    expect(bounds('day', 'Europe/Berlin', '2026-03-29T12:00:00Z')).toEqual([
      '2026-03-28T23:00:00Z',
      '2026-03-29T22:00:00Z',
    ]);
    expect(bounds('day', 'Europe/Berlin', '2026-10-25T12:00:00Z')).toEqual([
      '2026-10-24T22:00:00Z',
      '2026-10-25T23:00:00Z',
    ]);
    expect(bounds('month', 'Asia/Kolkata', '2026-11-30T19:00:00Z')[0]).toBe('2026-11-30T18:30:00Z');
    expect(bounds('day', 'Pacific/Kiritimati', '2026-11-27T10:00:00Z')[0]).toBe('2026-11-27T10:00:00Z');
    expect(bounds('day', 'Pacific/Niue', '2026-11-27T10:59:00Z')[0]).toBe('2026-11-26T11:00:00Z');
    // There is no midnight on this day in Beirut.
    expect(bounds('day', 'Asia/Beirut', '2026-03-29T12:00:00Z')[0]).toBe('2026-03-28T22:00:00Z');
  });

  it('follow each other without a gap, whatever the zone', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/Sao_Paulo', 'Asia/Kolkata', 'Pacific/Apia', 'Africa/Cairo'];
    fc.assert(
      fc.property(
        fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') }),
        fc.constantFrom(...zones),
        fc.constantFrom('day' as const, 'week' as const, 'month' as const),
        (time, zone, period) => {
          const now = periodAt(period, zone, time, 0);
          expect(now.startsAt).toBeLessThanOrEqual(time);
          expect(now.endsAt).toBeGreaterThan(time);
          expect(periodAt(period, zone, now.endsAt, 0).startsAt).toBe(now.endsAt);
          expect(periodAt(period, zone, now.startsAt, 0)).toEqual(now);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('in total are one, from its beginning on', () => {
    expect(periodAt('total', 'UTC', 2_000, 1_000)).toEqual({ startsAt: 1_000, endsAt: NEVER });
  });

  it('know time zones by name', () => {
    expect(['UTC', 'Europe/Berlin', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false]);
  });
});

describe('the scope of a budget', () => {
  const anything = { tenantId: null, keyId: null, tag: null, route: null };
  const spender = { tenantId: 't', keyId: 'k', tags: { team: 'a', constructor: 'b' }, routes: ['mini', 'maxi'] };

  it('asks for everything it names, and covers all when it names nothing', () => {
    expect(coversSpender(anything, spender)).toBe(true);
    expect(coversSpender({ ...anything, tenantId: 't', keyId: 'k', route: 'maxi' }, spender)).toBe(true);
    expect(coversSpender({ ...anything, tenantId: 't', keyId: 'other' }, spender)).toBe(false);
    expect(coversSpender({ ...anything, tag: { key: 'team', value: 'a' } }, spender)).toBe(true);
    expect(coversSpender({ ...anything, tag: { key: 'constructor', value: 'b' } }, spender)).toBe(true);
    expect(coversSpender({ ...anything, tag: { key: 'toString', value: '' } }, { ...spender, tags: null })).toBe(false);
    expect(coversSpender({ ...anything, keyId: 'k' }, { ...spender, keyId: null })).toBe(false);
  });

  it('knows a route by the name it was given by, or that a model names; one written out has none', () => {
    expect(routeNameOf('mini', {})).toBe('mini');
    expect(routeNameOf(null, { route: 'maxi' })).toBe('maxi');
    expect(routeNameOf('inline', { route: 'maxi' })).toBeNull();
    expect(routeNameOf(null, {})).toBeNull();
  });
});

describe('what a process may have under way', () => {
  const second = 1_000;

  function bounded(granted: number | null): Allowance {
    const allowance = new Allowance('server');
    allowance.grant(granted);
    allowance.prolong(second);
    return allowance;
  }

  it('is bounded by nothing without a budget, and by what it drew with one', () => {
    const free = bounded(null);
    free.outstanding = 1e12;
    expect(free.maySpend(1e12, 9 * second)).toBe(true);
    const allowance = bounded(100);
    allowance.outstanding = 10;
    allowance.uncommitted = 20;
    expect(allowance.maySpend(70, 0)).toBe(true);
    expect(allowance.maySpend(71, 0)).toBe(false);
  });

  it('is one line at least while something is left, however much it may come to', () => {
    const allowance = bounded(1);
    expect(allowance.maySpend(1_000, 0)).toBe(true);
    allowance.uncommitted = 1;
    expect(allowance.maySpend(1, 0)).toBe(false);
    expect(bounded(0).maySpend(0, 0)).toBe(false);
    expect(bounded(-5).maySpend(1, 0)).toBe(false);
  });

  it('is nothing once the lease may be somebody else’s, until it is prolonged', () => {
    const allowance = bounded(100);
    expect(allowance.maySpend(1, second)).toBe(false);
    expect(allowance.starves(9 * second)).toBe(false);
    allowance.prolong(2 * second);
    expect(allowance.maySpend(1, second)).toBe(true);
  });

  it('is asked for with what goes on to be needed, and given back where nothing more is to be sent', () => {
    const allowance = bounded(100);
    allowance.outstanding = 30;
    allowance.uncommitted = 20;
    expect(allowance.maySpend(60, 0)).toBe(false);
    expect(allowance.starves(second)).toBe(true);
    const ask = { taker: 'server', underWayNano: 40, wishedNano: 60 };
    expect(allowance.ask(10, true, second)).toEqual({ ...ask, keptNano: 90 });
    expect(allowance.maySpend(50, 0)).toBe(true);
    // It is asked again in a while, and not before somebody wants more.
    expect(allowance.starves(9 * second)).toBe(false);
    expect(allowance.maySpend(60, 0)).toBe(false);
    expect(allowance.starves(second)).toBe(false);
    expect(allowance.ask(10, false, second)).toEqual({ ...ask, keptNano: 40 });
    expect(allowance.maySpend(1, 0)).toBe(false);
  });

  it('is less by what came to the books in another way', () => {
    const allowance = bounded(100);
    allowance.uncommitted = 60;
    allowance.wasted(60);
    expect(allowance.maySpend(41, 0)).toBe(true);
    allowance.outstanding = 1;
    expect(allowance.maySpend(40, 0)).toBe(false);
  });
});
