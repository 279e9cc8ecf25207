import type { LeafGrader } from '../../protocol/eval-grader.ts';
import type { Fields } from '../fields.ts';
import { compilePattern } from '../pattern.ts';
import { PatternError } from '../pattern-parse.ts';
import { schemaVerdict, uncheckedWord } from '../schema-check.ts';
import { toGrade, verdict } from './grade.ts';
import { GradeError, type Grader, type Subject } from './grader.ts';
import { numberIn } from './numbers.ts';
import { similarity, type TextMetric } from './similarity.ts';
import { compileTemplate, type Template } from './template.ts';

type Spec<Type extends LeafGrader['type']> = Extract<LeafGrader, { type: Type }>;
type Outcome = ReturnType<typeof verdict>;

/** Half of what there is to reach. */
const THRESHOLD = 0.5;
/** Matching takes time in proportion to the text and the pattern. */
const PATTERN_SUBJECT_MAX = 32_768;

/** A grader that only computes, from the texts of its templates. */
function computed<Name extends string>(
  { name, type }: { name: string; type: string },
  templates: Record<Name, Template>,
  run: (texts: Record<Name, string>) => Outcome,
): Grader {
  const entries = Object.entries<Template>(templates);
  return {
    name,
    type,
    asks: [],
    templates: entries.flatMap(([, template]) => template.reads),
    calls: () => [],
    grade: (subject) =>
      toGrade({ name, type }, () =>
        run(Object.fromEntries(entries.map(([key, each]) => [key, each.render(subject)])) as Record<Name, string>),
      ),
  };
}

/** OpenAI's string check: `like` asks whether the reference occurs in the input, `ilike` whatever its case. */
export function compileStringCheck(spec: Spec<'string_check'>): Grader {
  const texts = { input: compileTemplate(spec.input), reference: compileTemplate(spec.reference) };
  return computed(spec, texts, ({ input, reference }) => verdict(holds(spec.operation, input, reference)));
}

function holds(operation: Spec<'string_check'>['operation'], input: string, reference: string): boolean {
  switch (operation) {
    case 'eq':
      return input === reference;
    case 'ne':
      return input !== reference;
    case 'like':
      return input.includes(reference);
    case 'ilike':
      return input.toLowerCase().includes(reference.toLowerCase());
  }
}

/** Passes from `pass_threshold` on, which is 0.5 unless given. */
export function compileTextSimilarity(spec: Spec<'text_similarity'>, metric: TextMetric): Grader {
  const texts = { input: compileTemplate(spec.input), reference: compileTemplate(spec.reference) };
  const threshold = spec.pass_threshold ?? THRESHOLD;
  if (spec.model !== undefined) {
    throw new GradeError('invalid_grader', `'${spec.name}': 'model' is for the metric 'cosine'; '${metric}' asks none`);
  }
  return computed(spec, texts, ({ input, reference }) => {
    const score = similarity(metric, input, reference);
    return { score, passed: score >= threshold, sample: null };
  });
}

/** Compares numbers found in two texts; the larger of both tolerances counts. */
export function compileNumeric(spec: Spec<'numeric'>): Grader {
  const texts = { input: compileTemplate(spec.input), reference: compileTemplate(spec.reference) };
  const { tolerance = 0, relative_tolerance: relative = 0 } = spec;
  return computed(spec, texts, (found) => {
    const reference = numberIn(found.reference, spec);
    if (reference === null) throw new GradeError('no_number', 'the reference has no number to compare with');
    const input = numberIn(found.input, spec);
    const most = Math.max(tolerance, relative * Math.abs(reference));
    return verdict(input !== null && Math.abs(input - reference) <= most, { input, reference });
  });
}

/** Matched in time linear in the text, whatever the pattern (core/pattern.ts). */
export function compileRegex(spec: Spec<'regex'>): Grader {
  let matches: (text: string) => boolean;
  try {
    matches = compilePattern(spec.pattern, PATTERN_SUBJECT_MAX);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new GradeError('invalid_pattern', `the pattern ${error.message}`);
  }
  return computed(spec, { input: compileTemplate(spec.input) }, ({ input }) => {
    if (input.length > PATTERN_SUBJECT_MAX) {
      throw new GradeError(
        'text_too_long',
        `the text is longer than the ${PATTERN_SUBJECT_MAX} characters that are matched`,
      );
    }
    return verdict(matches(input));
  });
}

export function compileContains(spec: Spec<'contains'>): Grader {
  const input = compileTemplate(spec.input);
  const wanted = (typeof spec.reference === 'string' ? [spec.reference] : spec.reference).map(compileTemplate);
  const fold = (text: string) => (spec.ignore_case === true ? text.toLowerCase() : text);
  const read = (subject: Subject) => {
    const text = fold(input.render(subject));
    const missing = wanted.map((each) => each.render(subject)).filter((each) => !text.includes(fold(each)));
    const passed = spec.match === 'any' ? missing.length < wanted.length : missing.length === 0;
    return verdict(passed, { missing });
  };
  return {
    name: spec.name,
    type: spec.type,
    asks: [],
    templates: [input, ...wanted].flatMap(({ reads }) => reads),
    calls: () => [],
    grade: (subject) => toGrade(spec, () => read(subject)),
  };
}

/** Whether a text is JSON, of a schema if there is one. */
export function compileJsonSchema({ schema, ...spec }: Spec<'json_schema'>): Grader {
  if (schema !== undefined) requireCheckable(schema);
  return computed(spec, { input: compileTemplate(spec.input) }, ({ input }) => {
    let value: unknown;
    try {
      value = JSON.parse(input);
    } catch {
      return verdict(false, { problem: 'it is not JSON' });
    }
    const found = schema === undefined ? { problem: null } : schemaVerdict(schema, value);
    if (found === null) throw new GradeError('schema_unchecked', 'the schema takes too long to check with this text');
    return verdict(found.problem === null, { ...found });
  });
}

/** A grade must leave nothing out without a word. */
function requireCheckable(schema: Fields): void {
  const word = uncheckedWord(schema);
  if (word !== null) {
    throw new GradeError(
      'invalid_schema',
      `the schema's '${word}' is not checked here; remove it, or use a regex grader`,
    );
  }
  if (schemaVerdict(schema, null) === null) {
    throw new GradeError(
      'invalid_schema',
      'the schema cannot be applied: one of its references leads nowhere, or it is too large',
    );
  }
}
