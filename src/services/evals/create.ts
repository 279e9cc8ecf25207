import { ApiError } from '../../core/api-error.ts';
import { GradeError, type Grader, ownPlaces } from '../../core/eval/grader.ts';
import { compileGrader } from '../../core/eval/graders.ts';
import type { Fields } from '../../core/fields.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalCreate, EvalObject } from '../../protocol/eval.ts';
import type { GraderSpec } from '../../protocol/eval-grader.ts';
import { presentEval } from './present.ts';
import { JUDGE_PLACES_MAX } from './work/turn.ts';

/** Creates an eval. What is wrong with its criteria is a 400 that names the one. */
export async function createEval(deps: Deps, { actor, newId }: Context, input: EvalCreate): Promise<EvalObject> {
  checkCriteria(input.testing_criteria);
  const { data_source_config: config } = input;
  if (config.type !== 'custom') throw refused('data_source_config.type', 'Use a data source config of type custom.');
  const now = unixSeconds(deps.clock);
  const row = await deps.store.evals.insert({
    id: newId('eval_'),
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    name: input.name ?? 'Untitled',
    dataSourceConfig: { type: 'custom', schema: rowSchema(config.item_schema, config.include_sample_schema === true) },
    testingCriteria: input.testing_criteria,
    metadata: input.metadata ?? null,
    createdAt: now,
    updatedAt: now,
  });
  return presentEval(row);
}

/** As OpenAI shows it: the schema of a whole row. */
function rowSchema(item: Fields, withSample: boolean): Fields {
  const sample = {
    type: 'object',
    properties: { output_text: { type: 'string' }, output_json: {}, output_tools: { type: 'array' } },
    required: ['output_text'],
  };
  return {
    type: 'object',
    properties: { item, ...(withSample && { sample }) },
    required: ['item', ...(withSample ? ['sample'] : [])],
  };
}

function checkCriteria(criteria: readonly GraderSpec[]): void {
  const names = new Set<string>();
  const graders: Grader[] = [];
  for (const [index, spec] of criteria.entries()) {
    const param = `testing_criteria[${index}]`;
    if (names.has(spec.name)) throw refused(`${param}.name`, `'${spec.name}' names two criteria; results go by name.`);
    names.add(spec.name);
    try {
      graders.push(compileGrader(spec));
    } catch (error) {
      if (!(error instanceof GradeError)) throw error;
      throw refused(param, `Invalid '${param}': ${error.message}.`, error.code);
    }
  }
  if (ownPlaces(graders).length > JUDGE_PLACES_MAX) {
    throw refused(
      'testing_criteria',
      `The judges have more than ${JUDGE_PLACES_MAX} different pairs of 'config' and 'completion_window'. Let some share them.`,
    );
  }
}

function refused(param: string, message: string, code = 'invalid_value'): ApiError {
  return new ApiError(400, message, { code, param });
}
