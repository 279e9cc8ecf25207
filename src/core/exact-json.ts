import { OUTPUT_LIMITS } from './tokens.ts';

/** JSON text in which a `bigint` is written as an integer, however large: sums of money stay exact. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? rawJson(member.toString()) : member,
  );
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
  if (!holdsLarge(value)) return value;
  const revive = (key: string, member: unknown, context?: { source?: string }): unknown =>
    typeof member === 'number' && context?.source !== undefined && isLost(member, context.source) && !COUNTED.has(key)
      ? rawJson(context.source)
      : member;
  return JSON.parse(text, revive);
}

function isLost(value: number, source: string): boolean {
  return Number.isFinite(value) && !Number.isSafeInteger(value) && WHOLE.test(source) && String(value) !== source;
}

/** Deeper than any line may be nested. */
const DEPTH_MAX = 512;

/** Cheaper than looking at the source of every number: nearly no text has a large one. */
function holdsLarge(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.some((member) => holdsLarge(member, depth + 1));
  for (const key in value) if (holdsLarge((value as Record<string, unknown>)[key], depth + 1)) return true;
  return false;
}

/** `JSON.rawJSON` (ECMAScript proposal "JSON.parse source text access"): in Node since 21 and in workerd. */
const rawJson = (JSON as unknown as { rawJSON: (this: void, text: string) => unknown }).rawJSON;
