import { Validator } from '@cfworker/json-schema';

type Fields = Readonly<Record<string, unknown>>;

const SCHEMAS_MAX = 100;
/** Schemas come from users: one that doubles its work at each level must not hold the process up. */
const STEPS_MAX = 50_000;
/** Their values are data, not schemas. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);

interface Check {
  validator: Validator;
  /** Steps left of the check that runs. */
  budget: { steps: number };
}

/** Checks repeat from line to line; null for a schema that is none. */
const checks = new Map<string, Check | null>();

/**
 * What is wrong with `value` by a JSON schema (draft 2020-12), in a few words; null when nothing is, or when that cannot
 * be said: the schema is none, or takes too long. Regular expressions are left out (`pattern`, `patternProperties`, and
 * `additionalProperties` beside it), as a user's could hold the process up; so is `format`, which only annotates.
 */
export function schemaProblem(schema: Fields, value: unknown): string | null {
  return schemaVerdict(schema, value)?.problem ?? null;
}

/** As `schemaProblem`, with null where it cannot be said. */
export function schemaVerdict(schema: Fields, value: unknown): { problem: string | null } | null {
  try {
    const check = checkOf(schema);
    if (check === null) return null;
    check.budget.steps = STEPS_MAX;
    const result = check.validator.validate(value);
    if (result.valid) return { problem: null };
    const first = result.errors.at(-1);
    const place = first?.instanceLocation.replace(/^#\/?/, '') || 'the whole';
    return { problem: `${place}: ${first?.error ?? 'invalid'}` };
  } catch {
    // An unresolved reference, a schema deeper than the stack, or the budget.
    return null;
  }
}

function checkOf(schema: Fields): Check | null {
  const key = JSON.stringify(schema);
  const known = checks.get(key);
  if (known !== undefined) return known;
  const budget = { steps: STEPS_MAX };
  let made: Check | null = null;
  try {
    const safe = checkable(schema, budget) as ConstructorParameters<typeof Validator>[0];
    made = { validator: new Validator(safe, '2020-12'), budget };
  } catch {
    made = null;
  }
  checks.set(key, made);
  if (checks.size > SCHEMAS_MAX) checks.delete(checks.keys().next().value ?? '');
  return made;
}

/** A copy without regular expressions, each part of which spends a step when it is looked at. */
function checkable(schema: unknown, budget: Check['budget']): unknown {
  if (Array.isArray(schema)) return schema.map((item) => checkable(item, budget));
  if (schema === null || typeof schema !== 'object') return schema;
  const hasPatterns = 'patternProperties' in schema;
  const kept = Object.entries(schema).filter(([name, value]) => {
    if (name === 'pattern' || name === 'format' || name === '$recursiveAnchor') return typeof value === 'object';
    return !hasPatterns || !['patternProperties', 'additionalProperties', 'unevaluatedProperties'].includes(name);
  });
  const copy = Object.fromEntries(
    kept.map(([name, value]) => [name, DATA.has(name) ? value : checkable(value, budget)]),
  );
  // The validator reads this member, which nothing here uses, of every schema that it applies.
  Object.defineProperty(copy, '$recursiveAnchor', {
    get: () => {
      budget.steps -= 1;
      if (budget.steps < 0) throw new RangeError('the schema takes too long');
      return undefined;
    },
  });
  return copy;
}
