import type { z } from 'zod';
import { knownNames, tellKnownNames } from '../protocol/closed-object.ts';
import { suggestion } from './close-names.ts';

/** One thing wrong with something a person wrote, at a path such as `targets[1].provider`; '' is the whole. */
export interface Problem {
  path: string;
  message: string;
}

export type Path = readonly PropertyKey[];

/** A path as people write it: `providers.pool-a.base_urls[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}

/** Problems as one text for an error message: `path: message; path: message`. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('; ');
}

export function formatProblem(problem: Problem): string {
  return problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
}

/** What parsing finds: the value, or every problem at once. */
export type Checked<T> = { ok: true; value: T } | { ok: false; problems: Problem[] };

/**
 * Parses `value` and names each problem with its path below `prefix`. Unknown fields of strict objects are named one by
 * one, with the sentence of `refused` or the nearest known name. Messages never hold the values themselves.
 */
export function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  prefix: Path = [],
  refused: Readonly<Record<string, string>> = {},
): Checked<T> {
  const parsed = schema.safeParse(value, { error: explain });
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problems: flatten(parsed.error.issues, prefix, refused) };
}

function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'is required';
  return tellKnownNames(issue);
}

function flatten(
  issues: readonly z.core.$ZodIssue[],
  prefix: Path,
  refused: Readonly<Record<string, string>>,
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const known = knownNames(issue.message);
      return issue.keys.map((key) => ({
        path: formatPath([...path, key.slice(0, 128)]),
        message: unknownField(key, known, refused),
      }));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branches = issue.errors.map((errors) => flatten(errors, path, refused));
      // The variant that was meant is most likely of the value's type, and the one with the least wrong.
      const whole = formatPath(path);
      const inside = branches.filter((branch) => branch.some((problem) => problem.path !== whole));
      return (inside.length > 0 ? inside : branches).reduce((best, branch) =>
        branch.length < best.length ? branch : best,
      );
    }
    return [{ path: formatPath(path), message: issue.message }];
  });
}

function unknownField(key: string, known: readonly string[], refused: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(refused, key)) return `\`${key}\`: ${refused[key]}`;
  return `unknown field.${suggestion(key, known) || ` Known fields: ${known.join(', ')}.`}`;
}
