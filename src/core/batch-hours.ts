import { z } from 'zod';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
type Day = (typeof DAYS)[number];
const MINUTES_A_DAY = 1_440;
/** And the hour that a change of the clock may add. */
const WEEK_MS = (7 * 24 + 1) * 3_600_000;

/** There are some hundred zones; each takes long to look up. */
const formats = new Map<string, Intl.DateTimeFormat>();

const timeOfDay = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'use hours and minutes such as 22:00; quote them in YAML')
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));

const timeZone = z
  .string()
  .refine(isTimeZone, 'is no time zone; use a name such as Europe/Berlin, or UTC')
  .default('UTC');

const windowSchema = z
  .strictObject({ days: z.array(z.enum(DAYS)).min(1).optional(), from: timeOfDay, to: timeOfDay })
  .refine(
    ({ from, to }) => from !== to && to !== from - MINUTES_A_DAY,
    'begins when it ends; for whole days use from 00:00 to 24:00',
  );

/** When batch lines may be sent: windows of local time, of which each begins on one of its days and may pass midnight. */
export const scheduleSchema = z.strictObject({ time_zone: timeZone, windows: z.array(windowSchema).min(1).max(50) });

export type Schedule = z.infer<typeof scheduleSchema>;

/** Whether batch lines may be sent at a moment (Unix milliseconds). */
export function isOpenAt({ time_zone: zone, windows }: Schedule, nowMs: number): boolean {
  const { day, minute } = localTime(zone, nowMs);
  const dayBefore = DAYS[(DAYS.indexOf(day) + DAYS.length - 1) % DAYS.length] ?? day;
  return windows.some(({ days, from, to }) => {
    const on = (wanted: Day): boolean => days === undefined || days.includes(wanted);
    if (from < to) return on(day) && minute >= from && minute < to;
    return (on(day) && minute >= from) || (on(dayBefore) && minute < to);
  });
}

/**
 * The first moment from `fromMs` on, and not after `untilMs`, at which all schedules are open: `fromMs` itself, or the
 * beginning of a minute; null when there is none. What repeats by the week is looked at for a week.
 */
export function nextOpening(schedules: readonly Schedule[], fromMs: number, untilMs: number): number | null {
  const areOpen = (at: number): boolean => schedules.every((schedule) => isOpenAt(schedule, at));
  if (areOpen(fromMs)) return fromMs;
  const lastMs = Math.min(untilMs, fromMs + WEEK_MS);
  for (let at = nextMinute(fromMs); at <= lastMs; at = nextMinute(at)) if (areOpen(at)) return at;
  return null;
}

/**
 * How long (milliseconds) all schedules are open from `fromMs` on, until that is `neededMs` or it is `untilMs`; and which
 * moment it is then. Looked at for a week at most.
 */
export function openFor(
  schedules: readonly Schedule[],
  fromMs: number,
  neededMs: number,
  untilMs: number,
): { openMs: number; atMs: number } {
  if (schedules.length === 0) {
    const openMs = Math.min(neededMs, untilMs - fromMs);
    return { openMs, atMs: fromMs + openMs };
  }
  const lastMs = Math.min(untilMs, fromMs + WEEK_MS);
  let openMs = 0;
  for (let at = fromMs; at < lastMs; at = nextMinute(at)) {
    if (!schedules.every((schedule) => isOpenAt(schedule, at))) continue;
    const more = Math.min(nextMinute(at), lastMs) - at;
    if (openMs + more >= neededMs) return { openMs: neededMs, atMs: at + neededMs - openMs };
    openMs += more;
  }
  return { openMs, atMs: untilMs };
}

/** When to ask again: windows begin and end at whole minutes of every zone. */
export function nextMinute(nowMs: number): number {
  return (Math.floor(nowMs / 60_000) + 1) * 60_000;
}

function localTime(zone: string, nowMs: number): { day: Day; minute: number } {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(nowMs)
      .map(({ type, value }) => [type, value]),
  );
  const word = (parts.get('weekday') ?? '').toLowerCase();
  const minute = (Number(parts.get('hour')) * 60 + Number(parts.get('minute'))) % MINUTES_A_DAY;
  return { day: DAYS.find((day) => day === word) ?? 'mon', minute };
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    const options = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...options });
    formats.set(zone, format);
  }
  return format;
}

function isTimeZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}
