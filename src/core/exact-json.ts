import { OUTPUT_LIMITS } from './tokens.ts';

/** JSON text in which a `bigint` is written as an integer, however large: sums of money stay exact. */
export function exactJson(value: unknown): string {
  try {
    // Most of what is written has none, and a function that is asked of each member makes it twice as long.
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? rawJson(member.toString()) : member,
    );
  }
}

/** Members that are counted with: they stay numbers, however large. */
const COUNTED: ReadonlySet<string> = new Set([...OUTPUT_LIMITS, 'n', 'best_of']);
const WHOLE = /^-?[0-9]+$/;

/**
 * As JSON.parse, for values that are written again: an integer that a double does not hold, such as an id of 64 bits in the
 * arguments of a tool, becomes an opaque value that JSON.stringify writes digit by digit as it came. Throws as JSON.parse.
 */
export function parseExact(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!holdsLongRun(text) || !holdsLarge(value)) return value;
  const revive = (key: string, member: unknown, context?: { source?: string }): unknown =>
    typeof member === 'number' && context?.source !== undefined && isLost(member, context.source) && !COUNTED.has(key)
      ? rawJson(context.source)
      : member;
  return JSON.parse(text, revive);
}

/** The same; undefined, which no JSON says, for what is none. */
export function tryParseExact(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

function isLost(value: number, source: string): boolean {
  return Number.isFinite(value) && !Number.isSafeInteger(value) && WHOLE.test(source) && String(value) !== source;
}

/** Deeper than any line may be nested. */
const DEPTH_MAX = 512;

/** Digits of the least integer that a double does not hold. */
const RUN = 16;

/** Whether so many digits stand in a row anywhere: one of them is at a multiple of so many. */
function holdsLongRun(text: string): boolean {
  for (let at = RUN - 1; at < text.length; at += RUN) {
    if (!isDigit(text.charCodeAt(at))) continue;
    let from = at;
    let to = at + 1;
    while (from > 0 && isDigit(text.charCodeAt(from - 1))) from -= 1;
    while (to < text.length && isDigit(text.charCodeAt(to))) to += 1;
    if (to - from >= RUN) return true;
  }
  return false;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Cheaper than looking at the source of every number: embeddings have long ones that are small. */
function holdsLarge(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return false;
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    if (holdsLarge(member, depth + 1)) return true;
  }
  return false;
}

/** `JSON.rawJSON` (ECMAScript proposal "JSON.parse source text access"): in Node since 21 and in workerd. */
const rawJson = (JSON as unknown as { rawJSON: (this: void, text: string) => unknown }).rawJSON;
