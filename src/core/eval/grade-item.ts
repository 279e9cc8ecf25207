import type { EvalItemStatus } from '../../protocol/eval-output-item.ts';
import { toGrade } from './grade.ts';
import { type Grade, GradeError, type Grader, type JudgeAnswer, type JudgeCall, type Subject } from './grader.ts';

/** What all criteria together say of an item. */
export interface ItemGrade {
  status: Exclude<EvalItemStatus, 'pending'>;
  /** Mean of the scores; null where one of them is not known. */
  score: number | null;
  results: Grade[];
}

/** The requests to judges that the grade of an item needs, criterion by criterion. */
export function judgeCalls(graders: readonly Grader[], subject: Subject): JudgeCall[] {
  return graders.flatMap((grader) => {
    const calls = callsOf(grader, subject);
    return calls instanceof GradeError ? [] : calls;
  });
}

/** Grades an item. `answer` gives what came of a call, by its place in `judgeCalls`. */
export function gradeItem(
  graders: readonly Grader[],
  subject: Subject,
  answer: (place: number) => JudgeAnswer,
): ItemGrade {
  let place = 0;
  const results = graders.map((grader) => {
    const calls = callsOf(grader, subject);
    if (calls instanceof GradeError) {
      return toGrade(grader, () => {
        throw calls;
      });
    }
    return grader.grade(
      subject,
      calls.map(() => answer(place++)),
    );
  });
  const isKnown = results.every(({ score }) => score !== null);
  const sum = results.reduce((total, { score }) => total + (score ?? 0), 0);
  const passed = results.every((result) => result.passed);
  return {
    status: isKnown ? (passed ? 'pass' : 'fail') : 'error',
    score: isKnown && results.length > 0 ? sum / results.length : null,
    results,
  };
}

function callsOf(grader: Grader, subject: Subject): JudgeCall[] | GradeError {
  if (grader.asks.length === 0) return [];
  try {
    return grader.calls(subject);
  } catch (error) {
    if (error instanceof GradeError) return error;
    throw error;
  }
}
