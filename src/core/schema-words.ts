/** What of a JSON schema's words is checked, and the form in which the validator can check it safely. */
import { type Fields, isFields } from './fields.ts';
import { compileSchemaPattern, type Pattern } from './pattern.ts';
import { PatternError } from './pattern-parse.ts';

/** A pattern takes some kilobytes, and a tenth of a millisecond to compile. */
const PATTERNS_MAX = 200;
const INSTRUCTIONS_PER_STEP = 64;
const DATA: ReadonlySet<string> = new Set(['const', 'enum']);
/** They only annotate, and a reference into them would reach a schema that is as its author wrote it. */
const ANNOTATIONS: ReadonlySet<string> = new Set(['default', 'examples']);
/** Their members are names that a user chose. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']);
const LEFT_OUT: ReadonlySet<string> = new Set(['patternProperties', '$dynamicRef', '$recursiveRef']);
const BESIDE_PATTERN_PROPERTIES: ReadonlySet<string> = new Set(['additionalProperties', 'unevaluatedProperties']);
/**
 * Those of OpenAI's structured outputs (guide "Structured model outputs", supported properties of strings). The
 * validator's check of some others can take time that is exponential in the text.
 */
const FORMATS: ReadonlySet<string> = new Set([
  ...['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'],
]);

/** What the parts of a schema ask when they are applied. */
export interface Guard {
  /** Hears of each part that is applied (1), and of each instruction of a pattern that is followed (less); may throw. */
  spend(steps: number): void;
  /** Whether the items of lists may be compared, each with each other. */
  mayCompare(): boolean;
}

/** A schema that can be checked in a bounded time. */
export interface CheckableSchema {
  /** A copy without what is not checked. */
  schema: unknown;
  /** Its patterns, which it asks for as formats of these names. */
  patterns: ReadonlyMap<string, Pattern>;
  /** The first word that is not checked; null when all are. */
  leftOut: string | null;
}

/** Makes `schema` checkable; throws RangeError for one that is nested deeper than the stack. */
export function checkable(schema: Fields, guard: Guard): CheckableSchema {
  const state: State = { guard, patterns: new Map(), leftOut: null };
  return { schema: copyOf(schema, state), patterns: state.patterns, leftOut: state.leftOut };
}

interface State {
  guard: Guard;
  patterns: Map<string, Pattern>;
  leftOut: string | null;
}

function copyOf(schema: unknown, state: State): unknown {
  if (Array.isArray(schema)) return schema.map((item) => copyOf(item, state));
  if (!isFields(schema)) return schema;
  const besidePatterns = 'patternProperties' in schema ? BESIDE_PATTERN_PROPERTIES : null;
  const words = Object.entries(schema).filter(([word, value]) => isChecked(word, value, state));
  const copy: Fields = Object.fromEntries(
    words
      .filter(([word]) => !besidePatterns?.has(word))
      .map(([word, value]) => [
        word,
        DATA.has(word) ? value : NAMED.has(word) ? named(value, state) : copyOf(value, state),
      ]),
  );
  const { pattern, format, allOf } = copy;
  if (typeof pattern === 'string') {
    // The validator would match it by an expression of its own, which can backtrack. A part has one format.
    delete copy.pattern;
    if (format === undefined) copy.format = formatName(pattern);
    else copy.allOf = [...(Array.isArray(allOf) ? allOf : []), { format: formatName(pattern) }];
  }
  guardPart(copy, state.guard);
  return copy;
}

function named(value: unknown, state: State): unknown {
  if (!isFields(value)) return copyOf(value, state);
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, copyOf(schema, state)]));
}

function isChecked(word: string, value: unknown, state: State): boolean {
  if (ANNOTATIONS.has(word) || word === '$recursiveAnchor') return false;
  if ((word === 'pattern' || word === 'format') && typeof value !== 'string') return false;
  const isLeftOut =
    LEFT_OUT.has(word) ||
    (word === 'format' && !FORMATS.has(value as string)) ||
    (word === 'pattern' && !canMatch(value as string, state));
  if (isLeftOut) state.leftOut ??= word;
  return !isLeftOut;
}

/** Compiles a pattern, once a schema. */
function canMatch(source: string, { guard, patterns }: State): boolean {
  const name = formatName(source);
  if (patterns.has(name)) return true;
  if (patterns.size >= PATTERNS_MAX) return false;
  try {
    patterns.set(
      name,
      compileSchemaPattern(source, () => guard.spend(1 / INSTRUCTIONS_PER_STEP)),
    );
    return true;
  } catch (error) {
    if (error instanceof PatternError) return false;
    throw error;
  }
}

/** No format that a schema may name begins so. */
function formatName(pattern: string): string {
  return `pattern ${pattern}`;
}

/** The validator reads these members of every part that it applies; the first means nothing here. */
function guardPart(copy: Fields, guard: Guard): void {
  Object.defineProperty(copy, '$recursiveAnchor', { get: () => guard.spend(1) });
  if (copy.uniqueItems === true) Object.defineProperty(copy, 'uniqueItems', { get: () => guard.mayCompare() });
}
