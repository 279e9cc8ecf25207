import { gradeItem } from '../../../core/eval/grade-item.ts';
import type { JudgeAnswer } from '../../../core/eval/grader.ts';
import { withGrade } from '../../../core/eval/tally.ts';
import { subjectOf } from './collect.ts';
import { next, type TargetWork, take } from './turn.ts';

const OUTPUTS_AT_ONCE = 100;
const UNANSWERED: JudgeAnswer = { error: { code: 'no_answer', message: 'The judge gave no answer.' } };

/** Grades a target's answers, page by page. */
export async function grade(work: TargetWork): Promise<void> {
  const { target } = work.target;
  do {
    const query = { target, after: { target, item: work.target.cursor - 1 }, limit: OUTPUTS_AT_ONCE };
    const outputs = await work.deps.store.evals.outputs(work.run.id, query);
    let { passed, failed, errored, criteria } = work.target;
    const grades = outputs
      .filter(({ status }) => status === 'pending')
      .map((output) => {
        const answers = (output.answers ?? {}) as Record<string, JudgeAnswer>;
        const graded = gradeItem(work.plan.graders, subjectOf(output), (place) => answers[place] ?? UNANSWERED);
        criteria = withGrade(criteria, graded);
        if (graded.status === 'pass') passed += 1;
        else if (graded.status === 'fail') failed += 1;
        else errored += 1;
        return { item: output.item, ...graded };
      });
    const isLast = outputs.length < OUTPUTS_AT_ONCE;
    const place = isLast ? next('done') : { cursor: (outputs.at(-1)?.item ?? work.target.cursor) + 1 };
    await take(work, { to: { ...place, passed, failed, errored, criteria }, grades });
  } while (work.target.stage === 'grade' && work.mayGoOn());
}
