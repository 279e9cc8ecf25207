import { gradeItem, type ItemGrade } from '../../../core/eval/grade-item.ts';
import type { JudgeAnswer } from '../../../core/eval/grader.ts';
import { withGrade } from '../../../core/eval/tally.ts';
import type { EvalStep } from '../../../ports/store-evals.ts';
import { subjectOf } from './collect.ts';
import { next, type TargetWork, take } from './turn.ts';

const OUTPUTS_AT_ONCE = 100;
const LONG_MICROS = 5_000;
const UNANSWERED: JudgeAnswer = { error: { code: 'no_answer', message: 'The judge gave no answer.' } };

/** Grades a target's answers, page by page. */
export async function grade(work: TargetWork): Promise<void> {
  const { target } = work.target;
  do {
    const query = { target, after: { target, item: work.target.cursor - 1 }, limit: OUTPUTS_AT_ONCE };
    const outputs = await work.deps.store.evals.outputs(work.run.id, query);
    let { passed, failed, errored, criteria } = work.target;
    const grades: NonNullable<EvalStep['grades']>[number][] = [];
    for (const output of outputs) {
      if (output.status !== 'pending') continue;
      const graded = await gradeOutput(work, output);
      criteria = withGrade(criteria, graded);
      if (graded.status === 'pass') passed += 1;
      else if (graded.status === 'fail') failed += 1;
      else errored += 1;
      grades.push({ item: output.item, ...graded });
    }
    const isLast = outputs.length < OUTPUTS_AT_ONCE;
    const place = isLast ? next('done') : { cursor: (outputs.at(-1)?.item ?? work.target.cursor) + 1 };
    await take(work, { to: { ...place, passed, failed, errored, criteria }, grades });
  } while (work.target.stage === 'grade' && work.mayGoOn());
}

/** Long texts take their time: nothing else of this process waits for more than one item. */
async function gradeOutput(
  { deps: { clock }, plan }: TargetWork,
  output: Parameters<typeof subjectOf>[0],
): Promise<ItemGrade> {
  const answers = (output.answers ?? {}) as Record<string, JudgeAnswer>;
  const since = clock.micros();
  const graded = gradeItem(plan.graders, subjectOf(output), (place) => answers[place] ?? UNANSWERED);
  if (clock.micros() - since > LONG_MICROS) await clock.sleep(0);
  return graded;
}
