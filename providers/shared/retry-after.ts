type Headers = Readonly<Record<string, string>>;

/** Longer waits are a mistake of the server, or of the reader of its clock. */
const longestWaitMs = 600_000;
/** September 2020: nobody asks for a wait of fifty years. */
const leastUnixTimeMs = 1_600_000_000_000;

/**
 * How long the provider asks us to wait, in milliseconds from 0 to ten minutes; null when it does not say, or says
 * something that is not a time to come. Reads, in this order: `retry-after-ms` (OpenAI, Azure), `x-ms-retry-after-ms`
 * (Azure), `retry-after` as seconds or HTTP date (RFC 9110, 10.2.3; also as a duration or an ISO date, which some proxies
 * send), and for a 429 the `x-ratelimit-reset-*` durations. A moment is compared with the provider's own clock where its
 * `date` tells that: its clock, or ours, may be hours off. A number that can only be a Unix time is taken for one.
 */
export function retryAfterMs(headers: Headers, status: number, nowMs: number): number | null {
  const theirNowMs = providerNowMs(headers, nowMs);
  const waitMs =
    readNumber(headers['retry-after-ms']) ??
    readNumber(headers['x-ms-retry-after-ms']) ??
    readRetryAfter(headers['retry-after'], theirNowMs) ??
    (status === 429 ? readResets(headers, theirNowMs) : null);
  if (waitMs === null || waitMs < 0) return null;
  return Math.min(Math.ceil(waitMs), longestWaitMs);
}

/** The moment by the provider's clock (its `date`), with which the moments that it names are to be compared; else `nowMs`. */
export function providerNowMs(headers: Headers, nowMs: number): number {
  return readDate(headers.date?.trim() ?? '') ?? nowMs;
}

function readNumber(text: string | undefined): number | null {
  return text !== undefined && /^\s*-?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : null;
}

function readRetryAfter(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const waits = text.split(',').map((part) => readWait(part.trim(), nowMs));
  // A proxy may have added its own: the header is there twice then.
  if (waits.every((wait) => wait !== null)) return Math.max(...waits);
  return waitUntil(readDate(text.trim()), nowMs);
}

function waitUntil(time: number | null, nowMs: number): number | null {
  return time === null ? null : Math.max(0, time - nowMs);
}

/** Seconds, a duration, or a Unix time in seconds or milliseconds. */
function readWait(text: string | undefined, nowMs: number): number | null {
  const wait = readDuration(text);
  if (wait === null || wait < leastUnixTimeMs) return wait;
  const unixMs = wait < leastUnixTimeMs * 1000 ? wait : wait / 1000;
  return waitUntil(unixMs, nowMs);
}

/** The three forms of an HTTP date, and an ISO date with a zone. Date.parse alone reads far more ("5", "May"). */
function readDate(text: string): number | null {
  const isDate =
    /^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(text) || /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/i.test(text);
  if (!isDate) return null;
  // The form of C's asctime names no zone and means UTC (RFC 9110, 5.6.7), where Date.parse takes the machine's.
  const time = Date.parse(/\d\d:\d\d:\d\d \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(time) ? null : time;
}

/** The reset of the limit that is used up; of all limits when the server does not tell which one it is. */
function readResets(headers: Headers, nowMs: number): number | null {
  const waits: number[] = [];
  for (const limit of ['requests', 'tokens']) {
    const remaining = readNumber(headers[`x-ratelimit-remaining-${limit}`]);
    const text = headers[`x-ratelimit-reset-${limit}`]?.trim();
    const wait = readWait(text, nowMs) ?? waitUntil(readDate(text ?? ''), nowMs);
    if (wait !== null && (remaining === null || remaining <= 0)) waits.push(wait);
  }
  return waits.length === 0 ? null : Math.max(...waits);
}

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Reads `6m0s`, `120ms`, `1.5s` or plain seconds, in milliseconds. */
function readDuration(text: string | undefined): number | null {
  const seconds = readNumber(text);
  if (seconds !== null) return seconds * 1000;
  if (text === undefined || !/^(\d+(\.\d+)?(ms|[dhms]))+$/.test(text)) return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)) {
    sum += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  }
  return sum;
}
