/** How figures look. Short forms are for the eye; the exact value stands beside them, on hover and for copying. */

const counts = new Intl.NumberFormat('en-US');
const shortCounts = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });
const times = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const shortTimes = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});
const NANO = 1_000_000_000;

export function formatCount(count: number): string {
  return counts.format(count);
}

/** 1,234 → `1,234`; 1,234,567 → `1.23M`. */
export function shortCount(count: number): string {
  return Math.abs(count) < 100_000 ? counts.format(count) : shortCounts.format(count);
}

/** Nano-USD for the eye: cents from a dollar on, four digits that count below. */
export function shortUsd(nano: number): string {
  const usd = nano / NANO;
  const size = Math.abs(usd);
  const sign = usd < 0 ? '−' : '';
  if (size === 0) return '$0';
  if (size >= 100_000) return `${sign}$${shortCounts.format(size)}`;
  if (size >= 1)
    return `${sign}$${new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(size)}`;
  const decimals = Math.min(9, Math.max(2, 3 - Math.floor(Math.log10(size))));
  return `${sign}$${size.toFixed(decimals)}`;
}

/** Nano-USD of a round amount, as on an axis. */
export function roundUsd(nano: number): string {
  const usd = nano / NANO;
  return usd >= 10_000 ? `$${shortCounts.format(usd)}` : `$${Number(usd.toPrecision(6))}`;
}

/** `0.0520479` → `$0.0520479`. The API's own decimal string, so that nothing is rounded. */
export function exactUsd(text: string): string {
  return text.startsWith('-') ? `−$${text.slice(1)}` : `$${text}`;
}

/** 0.1234 → `12.3%`. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–';
  const value = share * 100;
  if (value !== 0 && Math.abs(value) < 0.1) return value < 0 ? '>−0.1%' : '<0.1%';
  return `${Number(value.toFixed(Math.abs(value) < 10 ? 1 : 0))}%`;
}

/** Unix seconds in the reader's own zone. */
export function formatTime(seconds: number): string {
  return times.format(seconds * 1000);
}

export function shortTime(seconds: number): string {
  return shortTimes.format(seconds * 1000);
}

/** 75 → `1 min 15 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (seconds < 10 && seconds > 0) return `${Number(seconds.toFixed(1))} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return join(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return join(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return join(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** How long ago, in words that stay true for a while. */
export function ago(seconds: number, now: number): string {
  const age = now - seconds;
  if (age < 45) return 'just now';
  if (age < 3600) return `${Math.round(age / 60)} min ago`;
  if (age < 86_400) return `${Math.round(age / 3600)} h ago`;
  return `${Math.round(age / 86_400)} d ago`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`;
}

/** `batch_4k…Q2` for narrow places; the whole id is on hover and is what is copied. */
export function shortId(id: string): string {
  const at = Math.max(id.indexOf('_'), id.indexOf('-')) + 1;
  return id.length <= at + 12 ? id : `${id.slice(0, at + 6)}…${id.slice(-4)}`;
}

export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : many}`;
}

export function nowSeconds(): number {
  return Date.now() / 1000;
}
