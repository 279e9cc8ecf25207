import type { Fields } from '../fields.ts';
import { type Grade, GradeError, type Grader } from './grader.ts';

type Named = Pick<Grader, 'name' | 'type'>;

/** A grade from what `run` tells; one without a score where it throws GradeError, and 0 where the answer is no such answer. */
export function toGrade(
  { name, type }: Named,
  run: () => { score: number; passed: boolean; sample?: Fields | null; results?: Grade[] },
): Grade {
  try {
    const { score, passed, sample = null, ...more } = run();
    return { name, type, score, passed, sample, ...more };
  } catch (error) {
    if (!(error instanceof GradeError)) throw error;
    const { code, message } = error;
    if (code === 'missing_output') return { name, type, score: 0, passed: false, sample: { problem: message } };
    return { name, type, score: null, passed: false, sample: null, error: { code, message } };
  }
}

/** For graders that pass or fail. */
export function verdict(passed: boolean, sample: Fields | null = null) {
  return { score: passed ? 1 : 0, passed, sample };
}
