import { parsePath, readPath } from '../path.ts';
import { GradeError, type Subject } from './grader.ts';

/** Text with places such as `{{item.question}}`, `{{ sample.output_json.answer }}` or `{{item.options[0]}}`. */
export interface Template {
  /** What it reads, as written: `item.question`. */
  reads: readonly string[];
  /** Throws GradeError when the subject has no value for one of its places. */
  render(subject: Subject): string;
}

const PLACE = /\{\{([^{}]*)\}\}/g;

/** Reads a template. Throws GradeError, code `invalid_template`, for a place that reads neither an item nor a sample. */
export function compileTemplate(text: string): Template {
  const parts: (string | ReturnType<typeof compileReference>)[] = [];
  let at = 0;
  for (const match of text.matchAll(PLACE)) {
    parts.push(text.slice(at, match.index), compileReference((match[1] ?? '').trim()));
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return {
    reads: parts.flatMap((part) => (typeof part === 'string' ? [] : [part.text])),
    render: (subject) => parts.map((part) => (typeof part === 'string' ? part : textOf(part.read(subject)))).join(''),
  };
}

/** One value of an item or a sample, by its path. Throws as `compileTemplate`; `read` as `Template.render`. */
export function compileReference(text: string) {
  const steps = parsePath(text);
  const [root] = steps ?? [];
  if (steps === null || (root !== 'item' && root !== 'sample') || steps.includes('*')) {
    throw new GradeError(
      'invalid_template',
      `'{{${text.slice(0, 100)}}}' reads nothing: a template reads item.<name> or sample.<name>, such as {{item.question}} or {{sample.output_text}}`,
    );
  }
  const read = (subject: Subject): unknown => {
    const value = readPath(subject, steps);
    if (value !== undefined) return value;
    // An answer that is not what was asked for is a bad answer; whatever else is missing is a bad item.
    const isOutput = root === 'sample' && (steps[1] === 'output_json' || steps[1] === 'output_tools');
    throw new GradeError(isOutput ? 'missing_output' : 'missing_value', `'${text}' has no value here`);
  };
  return { text, read };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
