import { suggestion } from './close-names.ts';
import { type PathStep, parsePath, readPath } from './path.ts';
import { compilePattern } from './pattern.ts';
import { PatternError } from './pattern-parse.ts';
import { formatPath, type Path, type Problem } from './problems.ts';

/** What a query is asked about: a request's body, its batch's metadata and its endpoint's path. */
export interface Subject {
  params: Readonly<Record<string, unknown>>;
  metadata: Readonly<Record<string, unknown>>;
  url: { pathname: string };
}

export type Query = (subject: Subject) => boolean;

export interface CompiledQuery {
  test: Query;
  /** Whether the answer depends on the body beyond its `model`. */
  needsBody: boolean;
}

const DEPTH_MAX = 8;
const LIST_MAX = 1_000;
const OPERATORS = ['$eq', '$ne', '$in', '$nin', '$regex', '$gt', '$gte', '$lt', '$lte'] as const;
type Operator = (typeof OPERATORS)[number];
type Scalar = string | number | boolean | null;

/**
 * Compiles a condition's query. All members of a query and all operators of a field must hold; a field that is missing
 * makes every operator false. Adds to `problems`, with paths below `path`, whatever cannot be compiled.
 */
export function compileQuery(query: unknown, path: Path, problems: Problem[]): CompiledQuery {
  const state = { needsBody: false, problems };
  const test = compileNode(query, path, state, 0);
  return { test, needsBody: state.needsBody };
}

interface State {
  needsBody: boolean;
  problems: Problem[];
}

function fail(state: State, path: Path, message: string): Query {
  state.problems.push({ path: formatPath(path), message });
  return () => false;
}

function compileNode(query: unknown, path: Path, state: State, depth: number): Query {
  if (!isRecord(query)) return fail(state, path, 'must be an object such as {"params.model": {"$eq": "…"}}');
  if (depth > DEPTH_MAX) return fail(state, path, `is nested more than ${DEPTH_MAX} deep`);
  const entries = Object.entries(query);
  if (entries.length === 0) return fail(state, path, 'is empty; name a field, `$and` or `$or`');
  const tests = entries.map(([key, value]) => {
    if (key === '$and' || key === '$or') return compileList(key, value, [...path, key], state, depth);
    if (key.startsWith('$')) return fail(state, [...path, key], 'unknown operator here; use `$and` or `$or`.');
    return compileField(key, value, [...path, key], state);
  });
  return (subject) => tests.every((test) => test(subject));
}

function compileList(key: '$and' | '$or', value: unknown, path: Path, state: State, depth: number): Query {
  if (!Array.isArray(value) || value.length === 0 || value.length > 64) {
    return fail(state, path, 'must be a list of 1 to 64 queries');
  }
  const tests = value.map((item, index) => compileNode(item, [...path, index], state, depth + 1));
  if (key === '$and') return (subject) => tests.every((test) => test(subject));
  return (subject) => tests.some((test) => test(subject));
}

function compileField(key: string, value: unknown, path: Path, state: State): Query {
  const steps = fieldSteps(key);
  if (steps === null) {
    return fail(state, path, 'is not a field; use `params.<name>`, `metadata.<name>` or `url.pathname`');
  }
  if (steps[0] === 'params' && !(steps[1] === 'model' && steps.length === 2)) state.needsBody = true;
  const operators = isRecord(value) ? value : { $eq: value };
  const entries = Object.entries(operators);
  if (entries.length === 0) return fail(state, path, `names no operator; use one of ${OPERATORS.join(' ')}`);
  const tests = entries.map(([name, operand]) => compileOperator(name, operand, [...path, name], state));
  return (subject) => {
    const found = readPath(subject, steps);
    return found !== undefined && tests.every((test) => test(found));
  };
}

function fieldSteps(key: string): PathStep[] | null {
  if (key === 'url.pathname') return ['url', 'pathname'];
  const steps = parsePath(key);
  if (steps === null || steps.length < 2 || steps.includes('*')) return null;
  return steps[0] === 'params' || steps[0] === 'metadata' ? steps : null;
}

function compileOperator(name: string, operand: unknown, path: Path, state: State): (found: unknown) => boolean {
  const refuse = (message: string) => {
    fail(state, path, message);
    return () => false;
  };
  if (!isOperator(name)) return refuse(`unknown operator.${suggestion(name, OPERATORS)} Use ${OPERATORS.join(' ')}`);
  switch (name) {
    case '$eq':
    case '$ne': {
      if (!isScalar(operand)) return refuse('must be a string, a number, true, false or null');
      return name === '$eq' ? (found) => found === operand : (found) => found !== operand;
    }
    case '$in':
    case '$nin': {
      if (!Array.isArray(operand) || operand.length > LIST_MAX || !operand.every(isScalar)) {
        return refuse(`must be a list of at most ${LIST_MAX} strings, numbers, true, false or null`);
      }
      const members = new Set<unknown>(operand);
      return name === '$in' ? (found) => members.has(found) : (found) => !members.has(found);
    }
    case '$regex': {
      if (typeof operand !== 'string') return refuse('must be a string');
      try {
        const pattern = compilePattern(operand);
        return (found) => isScalar(found) && found !== null && pattern(String(found));
      } catch (error) {
        if (error instanceof PatternError) return refuse(error.message);
        throw error;
      }
    }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      const bound = toNumber(operand);
      if (bound === null) return refuse('must be a number');
      return (found) => compare(name, toNumber(found), bound);
    }
    default:
      return name satisfies never;
  }
}

function compare(name: '$gt' | '$gte' | '$lt' | '$lte', found: number | null, bound: number): boolean {
  if (found === null) return false;
  if (name === '$gt') return found > bound;
  if (name === '$gte') return found >= bound;
  return name === '$lt' ? found < bound : found <= bound;
}

/** Metadata holds only strings, so a number written as a string counts as one. */
function toNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function isOperator(name: string): name is Operator {
  return (OPERATORS as readonly string[]).includes(name);
}

function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
