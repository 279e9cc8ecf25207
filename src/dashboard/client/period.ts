import type { Choice } from './parts/controls.ts';
import type { Slot } from './parts/stack-chart.ts';

const HOUR = 3_600;
const DAY = 86_400;

/** Stretches of time to look at. Whole hours and days (UTC), so that the server answers from its sums. */
export interface Period {
  /** Unix seconds of the first slot. */
  from: number;
  unit: 'hour' | 'day';
  /** Unix seconds of every slot's start, oldest first. */
  starts: number[];
}

const PERIODS: Record<string, { label: string; unit: 'hour' | 'day'; slots: number }> = {
  '24h': { label: '24 hours', unit: 'hour', slots: 24 },
  '7d': { label: '7 days', unit: 'day', slots: 7 },
  '30d': { label: '30 days', unit: 'day', slots: 30 },
  '90d': { label: '90 days', unit: 'day', slots: 90 },
};

export const DEFAULT_PERIOD = '7d';

export const PERIOD_CHOICES: Choice[] = Object.entries(PERIODS).map(([value, { label }]) => ({ value, label }));

/** The period of this name that ends with the current hour or day. */
export function periodOf(name: string, now: number): Period {
  const { unit, slots } = PERIODS[name] ?? { unit: 'day', slots: 7 };
  const length = unit === 'hour' ? HOUR : DAY;
  const last = Math.floor(now / length) * length;
  const from = last - (slots - 1) * length;
  return { from, unit, starts: Array.from({ length: slots }, (_, index) => from + index * length) };
}

const dayLabel = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', timeZone: 'UTC' });
const dayTitle = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeZone: 'UTC' });
const hourLabel = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const hourTitle = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** How the slots are called. Days are UTC days, as in the ledger. */
export function slotsOf({ unit, starts }: Period): Slot[] {
  const [label, title] = unit === 'day' ? [dayLabel, dayTitle] : [hourLabel, hourTitle];
  return starts.map((start) => ({
    label: label.format(start * 1000),
    title: unit === 'day' ? `${title.format(start * 1000)} (UTC)` : title.format(start * 1000),
  }));
}
