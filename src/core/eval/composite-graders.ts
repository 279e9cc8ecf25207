import type { CompositeGrader, GraderSpec, MultiGrader } from '../../protocol/eval-grader.ts';
import { compileFormula } from './formula.ts';
import { toGrade } from './grade.ts';
import { type Grade, GradeError, type Grader, type JudgeAnswer, type Subject } from './grader.ts';

const THRESHOLD = 0.5;

type Compile = (spec: GraderSpec) => Grader;
type Outcome = { score: number; passed: boolean };

/** A grader whose grade follows from those of others, which stand in its `results`. */
function combined(
  { name, type }: { name: string; type: string },
  graders: readonly Grader[],
  decide: (grades: readonly (Grade & { score: number })[]) => Outcome,
): Grader {
  const callsOf = (subject: Subject) => graders.map((grader) => grader.calls(subject));
  const grade = (subject: Subject, answers: readonly JudgeAnswer[]): Grade => {
    let at = 0;
    const results = graders.map((grader) => {
      const count = grader.asks.length === 0 ? 0 : grader.calls(subject).length;
      at += count;
      return grader.grade(subject, answers.slice(at - count, at));
    });
    return { ...toGrade({ name, type }, () => decide(results.map(requireScore))), results };
  };
  return {
    name,
    type,
    templates: graders.flatMap(({ templates }) => templates),
    asks: graders.flatMap(({ asks }) => asks),
    calls: (subject) => callsOf(subject).flat(),
    grade,
  };
}

/** What follows from a grade that is not known is not known. */
function requireScore(grade: Grade): Grade & { score: number } {
  if (grade.score === null) {
    throw new GradeError(
      'inner_error',
      `'${grade.name}' could not grade: ${grade.error?.message ?? 'no reason given'}`,
    );
  }
  return { ...grade, score: grade.score };
}

/**
 * `all` and `any` pass as their graders do, with the least and the greatest of the scores; `not` passes where its grader
 * fails, with 1 less its score; `weighted` is the weighted mean, which passes from `pass_threshold` (0.5) on.
 */
export function compileComposite(spec: CompositeGrader, compile: Compile): Grader {
  const graders = spec.graders.map(compile);
  const scoresOf = (grades: readonly { score: number }[]) => grades.map(({ score }) => score);
  switch (spec.type) {
    case 'all':
      return combined(spec, graders, (grades) => ({
        score: Math.min(...scoresOf(grades)),
        passed: grades.every(({ passed }) => passed),
      }));
    case 'any':
      return combined(spec, graders, (grades) => ({
        score: Math.max(...scoresOf(grades)),
        passed: grades.some(({ passed }) => passed),
      }));
    case 'not':
      if (graders.length !== 1) throw new GradeError('invalid_grader', `'${spec.name}': 'not' takes one grader`);
      return combined(spec, graders, ([grade]) => ({
        score: 1 - (grade?.score ?? 0),
        passed: grade?.passed === false,
      }));
    case 'weighted': {
      const weights = spec.weights ?? graders.map(() => 1);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      if (weights.length !== graders.length || sum <= 0) {
        throw new GradeError(
          'invalid_grader',
          `'${spec.name}': 'weights' needs one number for each grader, not all of them 0`,
        );
      }
      return combined(spec, graders, (grades) => {
        const score = grades.reduce((total, grade, index) => total + grade.score * (weights[index] ?? 0), 0) / sum;
        return { score, passed: score >= (spec.pass_threshold ?? THRESHOLD) };
      });
    }
  }
}

/** OpenAI's multi grader: passes from `pass_threshold` (0.5) of its formula on. */
export function compileMulti(spec: MultiGrader, compile: Compile): Grader {
  const names = Object.keys(spec.graders);
  const formula = compileFormula(spec.calculate_output, names);
  return combined(spec, Object.values(spec.graders).map(compile), (grades) => {
    const score = formula(Object.fromEntries(grades.map((grade, index) => [names[index] ?? '', grade.score])));
    return { score, passed: score >= (spec.pass_threshold ?? THRESHOLD) };
  });
}
