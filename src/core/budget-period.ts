/** The calendar of budgets: which stretch of time a moment belongs to, in a time zone of its own. */
import type { BudgetPeriod } from '../protocol/budget.ts';

/** Unix seconds, `startsAt` inclusive and `endsAt` exclusive. */
export interface PeriodBounds {
  startsAt: number;
  endsAt: number;
}

/** The end of what does not end, as a number that every part of the system holds exactly. */
export const NEVER = 253_402_300_800;

const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;
/** Local midnight is at most so far from that of UTC. */
const OFFSET_MAX_SECONDS = 15 * 3_600;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether the name is a time zone, such as `Europe/Berlin`, `UTC` or `+05:30`. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * The period that `at` (Unix seconds) lies in. Days begin at local midnight, or where a change of the clock leaves none
 * out, at the first moment after it; weeks on Monday. What is `total` has one period, from `since` on.
 */
export function periodAt(period: BudgetPeriod, timeZone: string, at: number, since: number): PeriodBounds {
  if (period === 'total') return { startsAt: since, endsAt: NEVER };
  const today = localDay(timeZone, at);
  const first = firstDay(period, today);
  return { startsAt: startOf(timeZone, first), endsAt: startOf(timeZone, dayAfter(period, first)) };
}

/** Days since 1970 of the first day of the period that a day is in. */
function firstDay(period: Exclude<BudgetPeriod, 'total'>, day: number): number {
  if (period === 'day') return day;
  // 1 January 1970 was a Thursday.
  if (period === 'week') return day - ((day + 3) % 7);
  const date = new Date(day * DAY_SECONDS * 1000);
  return dayOf(date.getUTCFullYear(), date.getUTCMonth());
}

/** Days since 1970 of the first day of the next period. */
function dayAfter(period: Exclude<BudgetPeriod, 'total'>, first: number): number {
  if (period === 'day') return first + 1;
  if (period === 'week') return first + 7;
  const date = new Date(first * DAY_SECONDS * 1000);
  return dayOf(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

function dayOf(year: number, month: number, day = 1): number {
  return Date.UTC(year, month, day) / 1000 / DAY_SECONDS;
}

/** The first minute of a local day, found between the earliest and the latest midnight that any zone has. */
function startOf(timeZone: string, day: number): number {
  let before = day * DAY_SECONDS - OFFSET_MAX_SECONDS;
  let after = day * DAY_SECONDS + OFFSET_MAX_SECONDS;
  while (after - before > MINUTE_SECONDS) {
    const middle = before + Math.floor((after - before) / 2 / MINUTE_SECONDS) * MINUTE_SECONDS;
    if (localDay(timeZone, middle) >= day) after = middle;
    else before = middle;
  }
  return after;
}

/** Days since 1970 of the date that the zone's calendars show. */
function localDay(timeZone: string, at: number): number {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at * 1000)
      .map(({ type, value }) => [type, Number(value)]),
  );
  return dayOf(parts.get('year') ?? 0, (parts.get('month') ?? 1) - 1, parts.get('day') ?? 1);
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
    });
    formats.set(timeZone, format);
  }
  return format;
}
