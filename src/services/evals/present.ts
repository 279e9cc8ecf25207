import type { EvalStoredRow } from '../../ports/store-evals.ts';
import type { EvalObject } from '../../protocol/eval.ts';

/** The eval as clients see it. */
export function presentEval(row: EvalStoredRow): EvalObject {
  return {
    id: row.id,
    object: 'eval',
    created_at: row.createdAt,
    name: row.name,
    data_source_config: row.dataSourceConfig,
    testing_criteria: row.testingCriteria,
    metadata: row.metadata,
  };
}
