import type { z } from '@hono/zod-openapi';
import { knownNames } from '../protocol/closed-object.ts';
import { ApiError } from './api-error.ts';
import { suggestion } from './close-names.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

const TYPE_NAMES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

const shownCharacters = 64;

/**
 * The error of a value that a schema refused, in OpenAI's words: `param` is the path of the first finding and `code`
 * one of missing_required_parameter, invalid_type, invalid_value, unknown_parameter. `data` is what was parsed.
 */
export function invalidRequest(error: z.ZodError, data: unknown): ApiError {
  const issue = error.issues[0];
  if (issue === undefined) return new ApiError(400, 'The request is not valid.', { code: 'invalid_value' });
  return fromIssue(issue, issue.path, valueAt(data, issue.path));
}

function fromIssue(issue: Issue, path: Path, value: unknown): ApiError {
  const param = formatPath(path);
  if (value === undefined && param !== '') {
    return refuse(param, 'missing_required_parameter', `Missing required parameter: '${param}'.`);
  }
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(param, [issue.expected], value);
    case 'invalid_value':
      return wrongChoice(param, issue.values, value);
    case 'invalid_union':
      return fromUnion(issue, path, value);
    case 'unrecognized_keys': {
      const [name = ''] = issue.keys;
      const unknown = formatPath([...path, name]);
      const hint = suggestion(name, knownNames(issue.message)) || ' Remove it or correct its name.';
      return refuse(unknown, 'unknown_parameter', `Unknown parameter: '${unknown}'.${hint}`);
    }
    case 'invalid_key':
      return refuse(
        param,
        'invalid_value',
        `Invalid ${named(param)}: its name is refused (${keyReason(issue.issues)}).`,
      );
    case 'too_small':
    case 'too_big':
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'not_multiple_of':
      return refuse(param, 'invalid_value', `Invalid ${named(param)}: ${range(issue, value) ?? issue.message}.`);
  }
}

/** A union is explained by the one branch of the value's own type; when there is none, by the types it takes. */
function fromUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, value: unknown): ApiError {
  const branches = 'errors' in issue ? issue.errors : [];
  const firsts = branches.flatMap((branch) => branch.slice(0, 1));
  const inner = firsts.find((first) => first.code !== 'invalid_type' || first.path.length > 0);
  if (inner !== undefined) return fromIssue(inner, [...path, ...inner.path], valueAt(value, inner.path));
  const expected = firsts.flatMap((first) => (first.code === 'invalid_type' ? [first.expected] : []));
  if (expected.length > 0) return wrongType(formatPath(path), expected, value);
  const options = 'options' in issue ? issue.options : undefined;
  return wrongChoice(formatPath(path), options ?? [], value);
}

function wrongType(param: string, expected: readonly string[], value: unknown): ApiError {
  const wanted = [...new Set(expected.map((type) => TYPE_NAMES[type] ?? type))].join(' or ');
  const got = expected.includes('int') && typeof value === 'number' ? 'a decimal number' : typeName(value);
  return refuse(param, 'invalid_type', `Invalid type for ${named(param)}: expected ${wanted}, but got ${got} instead.`);
}

function wrongChoice(param: string, choices: readonly unknown[], value: unknown): ApiError {
  const quoted = choices.map((choice) => (typeof choice === 'string' ? `'${choice}'` : String(choice)));
  const last = quoted.pop() ?? 'none';
  const list = quoted.length === 0 ? last : `${quoted.join(', ')}${quoted.length > 1 ? ',' : ''} and ${last}`;
  const text = typeof value === 'string' ? `'${value.slice(0, shownCharacters)}'` : typeName(value);
  return refuse(param, 'invalid_value', `Invalid value for ${named(param)}: ${text}. Supported values are: ${list}.`);
}

/** What a bound asks for and what came instead; undefined when the issue is no bound. */
function range(issue: Issue, value: unknown): string | undefined {
  if (issue.code !== 'too_small' && issue.code !== 'too_big') return undefined;
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (typeof value === 'string' && issue.origin === 'string') {
    return `expected ${bound} characters, but got ${value.length}`;
  }
  if (Array.isArray(value)) return `expected ${bound} items, but got ${value.length}`;
  return `expected a value of ${bound}, but got ${String(value).slice(0, shownCharacters)}`;
}

function keyReason(issues: readonly Issue[]): string {
  const first = issues[0];
  if (first?.code === 'too_big') return `at most ${first.maximum} characters are allowed`;
  return first?.message ?? 'not allowed';
}

function refuse(param: string, code: string, message: string): ApiError {
  return new ApiError(400, message, param === '' ? { code } : { code, param });
}

function named(param: string): string {
  return param === '' ? 'the request' : `'${param}'`;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return TYPE_NAMES[typeof value] ?? 'nothing';
}

/** `metadata.tags`, `part_ids[0]`; long names are cut. */
function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${String(step).slice(0, shownCharacters)}`;
  }
  return text;
}

function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}
