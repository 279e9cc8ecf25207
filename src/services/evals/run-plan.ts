import { rowChecker } from '../../core/eval/check-row.ts';
import type { Grader } from '../../core/eval/grader.ts';
import { compileGrader } from '../../core/eval/graders.ts';
import type { Asker } from '../../core/eval/request.ts';
import { fieldsOf } from '../../core/fields.ts';
import type { EvalRunRow, EvalStoredRow, EvalTargetRow } from '../../ports/store-evals.ts';
import { askerOf } from './run-targets.ts';

/** What a run does, compiled from what is stored of it. */
export interface RunPlan {
  graders: readonly Grader[];
  /** One for each target; null where rows bring their answers. */
  askers: readonly (Asker | null)[];
  /** Why a row cannot be taken, as the end of a sentence; null when it can. */
  checkRow(row: unknown): string | null;
}

export function planRun(
  found: Pick<EvalStoredRow, 'testingCriteria' | 'dataSourceConfig'>,
  run: Pick<EvalRunRow, 'dataSource'>,
  targets: readonly Pick<EvalTargetRow, 'spec'>[],
): RunPlan {
  const graders = found.testingCriteria.map((spec) => compileGrader(spec));
  const askers = targets.map(({ spec }) => askerOf(run.dataSource, spec));
  const reads = graders.flatMap(({ templates }) => templates);
  const properties = fieldsOf(fieldsOf(found.dataSourceConfig.schema).properties);
  const checkRow = rowChecker({
    schema: fieldsOf(properties.item),
    reads,
    askers: askers.filter((asker) => asker !== null),
    needsSample: askers.includes(null),
  });
  return { graders, askers, checkRow };
}
