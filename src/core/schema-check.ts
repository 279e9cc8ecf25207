import { format as formats, Validator } from '@cfworker/json-schema';
import { type Fields, isFields } from './fields.ts';
import { checkable, type Guard } from './schema-words.ts';

const SCHEMAS_MAX = 100;
/** Longer schemas are not kept for the next line. */
const KEPT_LENGTH_MAX = 100_000;
/** Schemas come from users: one that doubles its work at each level must not hold the process up. */
const STEPS_MAX = 50_000;
/** Each item of a list is compared with each other one. */
const UNIQUE_ITEMS_MAX = 300;

/** Makes a validator of a schema run within its bounds. */
interface Check {
  run(value: unknown): { problem: string | null } | null;
  leftOut: string | null;
}

/** The check of one value. */
interface Running {
  value: unknown;
  stepsLeft: number;
  /** Whether one of its lists is too long for `uniqueItems`; null where nobody asked. */
  isLong: boolean | null;
}

/** Checks repeat from line to line. */
const checks = new Map<string, Check>();

/**
 * What is wrong with `value` by a JSON schema (draft 2020-12), in a few words; null when nothing is, or when that cannot
 * be said: the schema is none, or takes too long. All that OpenAI's structured outputs let a schema say is checked, and
 * nearly all else. Left out are (`uncheckedWord` tells):
 * - `pattern` with lookaround, backreferences, `\p{…}` or other languages' escapes (`\A`), over 4,096 characters, and
 *   beyond 200 in one schema: others are matched in time linear in the text (core/pattern.ts), which these cannot be;
 * - `patternProperties`, and `additionalProperties` beside it: the validator has no way but its own to match them;
 * - `format` that is none of OpenAI's: it only annotates, and some take exponential time to check;
 * - `uniqueItems` of lists of more than 300 items, as the validator compares each with each other;
 * - `$dynamicRef` and `$recursiveRef`, which no request needs.
 */
export function schemaProblem(schema: Fields, value: unknown): string | null {
  return schemaVerdict(schema, value)?.problem ?? null;
}

/** As `schemaProblem`, with null where it cannot be said. */
export function schemaVerdict(schema: Fields, value: unknown): { problem: string | null } | null {
  return checkOf(schema)?.run(value) ?? null;
}

/** The first word of a schema that is not checked; null when all are, or when the schema is none. */
export function uncheckedWord(schema: Fields): string | null {
  return checkOf(schema)?.leftOut ?? null;
}

/** null for a schema that is none. */
function checkOf(schema: Fields): Check | null {
  try {
    const key = JSON.stringify(schema);
    const known = checks.get(key);
    if (known !== undefined) return known;
    const made = compile(schema);
    if (key.length > KEPT_LENGTH_MAX) return made;
    checks.set(key, made);
    if (checks.size > SCHEMAS_MAX) checks.delete(checks.keys().next().value ?? '');
    return made;
  } catch {
    return null;
  }
}

function compile(schema: Fields): Check {
  const running: Running = { value: undefined, stepsLeft: 0, isLong: null };
  const guard: Guard = {
    spend: (steps) => {
      running.stepsLeft -= steps;
      if (running.stepsLeft < 0) throw new RangeError('the schema takes too long');
    },
    mayCompare: () => {
      running.isLong ??= hasLongList(running.value);
      return !running.isLong;
    },
  };
  const { schema: safe, patterns, leftOut } = checkable(schema, guard);
  const validator = new Validator(safe as ConstructorParameters<typeof Validator>[0], '2020-12');
  const run = (value: unknown) => {
    Object.assign(running, { value, stepsLeft: STEPS_MAX, isLong: null } satisfies Running);
    for (const [name, pattern] of patterns) formats[name] = pattern;
    try {
      const { valid, errors } = validator.validate(value);
      if (valid) return running.isLong === true ? null : { problem: null };
      const { instanceLocation = '', error = 'invalid' } = errors.at(-1) ?? {};
      const place = instanceLocation.replace(/^#\/?/, '') || 'the whole';
      return { problem: `${place}: ${error.replace('format "pattern ', 'pattern "')}` };
    } catch {
      // An unresolved reference, a schema deeper than the stack, or the budget.
      return null;
    } finally {
      running.value = undefined;
      for (const name of patterns.keys()) delete formats[name];
    }
  };
  return { run, leftOut };
}

function hasLongList(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > UNIQUE_ITEMS_MAX || value.some(hasLongList);
  return isFields(value) && Object.values(value).some(hasLongList);
}
