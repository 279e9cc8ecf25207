import { ApiError } from '../../core/api-error.ts';
import { toRow } from '../../core/eval/check-row.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalRunRow, EvalTargetRow } from '../../ports/store-evals.ts';
import type { EvalDataSource, EvalRunCreate, EvalRunObject } from '../../protocol/eval-run.ts';
import { findFile } from '../files/file-row.ts';
import { checkModels } from './check-models.ts';
import { presentRun } from './present-run.ts';
import { fetchEval } from './retrieve.ts';
import { listTargets } from './route-targets.ts';
import { planRun } from './run-plan.ts';
import { type NewTarget, type RunInput, readTargets } from './run-targets.ts';

/**
 * Creates a run in `queued`: its items are taken in, asked and graded in the background. What can be told at once is a
 * 4xx here: an unknown file, model, route or window, and what is wrong with rows that stand in the request.
 */
export async function createRun(
  deps: Deps,
  context: Context,
  evalId: string,
  asked: EvalRunCreate,
  origin: string,
): Promise<EvalRunObject> {
  const found = await fetchEval(deps, context, evalId);
  // What a run makes belongs to whom the eval belongs to, also when an administrator starts it.
  const own: Context = { ...context, actor: { ...context.actor, tenantId: found.tenantId, role: 'user' } };
  const input: RunInput = { ...asked, targets: await listTargets(deps, own.actor, asked.targets) };
  const targets = readTargets(input);
  const { dataSource, content } = split(input.data_source);
  const plan = planRun(found, { dataSource }, targets);
  if (content === null && dataSource.source.type === 'file_id') await requireFile(deps, own, dataSource.source.id);
  for (const [index, row] of (content ?? []).entries()) {
    const param = `data_source.source.content[${index}]`;
    const problem = plan.checkRow(row);
    if (problem !== null) throw new ApiError(400, `Invalid '${param}': ${problem}.`, { code: 'invalid_item', param });
  }
  await checkModels(deps, own.actor, {
    graders: plan.graders,
    askers: plan.askers,
    targets,
    many: input.targets !== undefined,
  });

  const id = context.newId('evalrun_');
  const run: EvalRunRow = {
    id,
    evalId,
    tenantId: found.tenantId,
    keyId: context.actor.keyId,
    name:
      input.name ??
      targets
        .map(({ name }) => name)
        .join(', ')
        .slice(0, 512),
    metadata: input.metadata ?? null,
    dataSource,
    content,
    completionWindow: input.completion_window,
    status: 'queued',
    error: null,
    itemsRead: 0,
    byteOffset: 0,
    createdAt: unixSeconds(deps.clock),
    startedAt: null,
    endedAt: null,
    deletedAt: null,
  };
  const criteria = plan.graders.map(({ name }) => ({ testing_criteria: name, passed: 0, failed: 0, errored: 0 }));
  const rows = targets.map((target, index) => targetRow(id, index, target, criteria));
  const stored = await deps.store.evals.insertRun(run, rows);
  deps.nudge();
  return presentRun(stored, origin);
}

/** Rows that stand in the request are kept beside the data source, as lists of runs leave them out. */
function split(source: EvalDataSource): Pick<EvalRunRow, 'dataSource' | 'content'> {
  if (source.source.type !== 'file_content' || !('content' in source.source))
    return { dataSource: source, content: null };
  const content = source.source.content.map((row) => toRow(row));
  return { dataSource: { ...source, source: { type: 'file_content', content: [] } }, content };
}

async function requireFile(deps: Deps, context: Context, id: string): Promise<void> {
  try {
    await findFile(deps, context, id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError(400, `No such File object: '${id.slice(0, 128)}'. Upload it first, with purpose 'evals'.`, {
      code: 'file_not_found',
      param: 'data_source.source.id',
    });
  }
}

function targetRow(
  runId: string,
  target: number,
  { name, spec }: NewTarget,
  criteria: EvalTargetRow['criteria'],
): EvalTargetRow {
  return {
    runId,
    target,
    name,
    spec,
    stage: spec.input_messages === undefined ? 'collect' : 'ask',
    error: null,
    cursor: 0,
    batchId: null,
    judgeBatchId: null,
    embeddingBatchId: null,
    otherJudgeBatchIds: [],
    passed: 0,
    failed: 0,
    errored: 0,
    criteria,
    usage: [],
  };
}
