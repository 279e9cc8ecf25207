import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { EvalRunObject, EvalRunStatus } from '../../protocol/eval-run.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { presentRun } from './present-run.ts';
import { fetchEval } from './retrieve.ts';

/** A page of an eval's runs, without the rows that stood in their requests. Throws 404. */
export async function listRuns(
  deps: Deps,
  context: Context,
  evalId: string,
  query: ListQuery & { status?: EvalRunStatus | undefined; origin: string },
): Promise<Page<EvalRunObject>> {
  await fetchEval(deps, context, evalId);
  const found = await deps.store.evals.listRuns(evalId, { ...query, limit: query.limit + 1 });
  if (found === null) throw notFound('eval run', query.after ?? '');
  return toPage(
    found.map((run) => presentRun(run, query.origin)),
    query.limit,
  );
}
