import { formatUsd } from '../../core/money.ts';

/** Numbers as people read them; all pure, all in English notation. */
const COUNT = new Intl.NumberFormat('en-US');

/** 1319 → `1,319`. */
export function formatCount(count: number): string {
  return COUNT.format(count);
}

/** 0.523 → `52 %`; only all is 100 %, and only nothing is 0 %. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const percent = (part / whole) * 100;
  const rounded = Math.round(percent);
  if (rounded === 100 && part < whole) return '99 %';
  if (rounded === 0 && part > 0) return '1 %';
  return `${rounded} %`;
}

/** Bytes with a unit of 1000: 730312 → `730 kB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Seconds as `8 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

function pad(number: number): string {
  return String(number).padStart(2, '0');
}

/** Things a second: three figures at most. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 99.5) return `${formatCount(Math.round(perSecond))}/s`;
  return `${perSecond.toFixed(perSecond >= 9.95 ? 0 : 1)}/s`;
}

/** Money while it is still being spent, rounded so that the figure keeps its width: nano-USD → `$0.0123`. Only nothing is 0. */
export function roughUsd(nano: number): string {
  const usd = nano / 1e9;
  if (usd > 0 && usd < 0.00005) return '<$0.0001';
  return `$${usd.toFixed(usd >= 100 ? 2 : 4)}`;
}

/** Amounts in nano-USD with the same number of decimals, none lost: a column whose points stand below each other. */
export function alignUsd(nanos: readonly number[], leastDecimals = 2): string[] {
  // Sums beyond 9 million dollars come as the nearest number: their last digit may be another.
  const texts = nanos.map((nano) => formatUsd(Number.isSafeInteger(nano) ? nano : BigInt(Math.round(nano))) ?? '');
  const decimals = Math.max(leastDecimals, ...texts.map((text) => text.split('.')[1]?.length ?? 0));
  return texts.map((text) => {
    const [whole = '0', fraction = ''] = text.split('.');
    return `${whole}.${fraction.padEnd(decimals, '0')}`;
  });
}

/** Unix seconds as `2026-01-31 09:05:07` in the machine's time zone; `–` for null. */
export function formatTime(unixSeconds: number | null): string {
  if (unixSeconds === null) return '–';
  const at = new Date(unixSeconds * 1000);
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** 1 → `1 line`, 2 → `2 lines`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A sum over ledger entries, and how many of these have no price. */
export interface Sum {
  nano: number;
  unpriced: number;
}

/** True of a sum of nothing, as no entry that may have cost something has a price: it is no zero. */
export function isUnknown({ nano, unpriced }: Sum): boolean {
  return nano === 0 && unpriced > 0;
}

/** As alignUsd, each sum with a mark where entries without a price are not in it. */
export function alignSums(sums: readonly Sum[]): string[] {
  const amounts = alignUsd(sums.map(({ nano }) => nano));
  return sums.map((sum, index) => {
    const shown = isUnknown(sum) ? 'unknown' : (amounts[index] ?? '');
    return sum.unpriced > 0 ? `${shown}*` : shown;
  });
}
