import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { RunPath } from './fetch-run.ts';

/** Deletes a run; one that runs is stopped. Its items, answers and files go in the background. Throws 404. */
export async function deleteRun(deps: Deps, { actor }: Context, { evalId, runId }: RunPath) {
  const deleted = await deps.store.evals.deleteRun(scopeOf(actor), evalId, runId, unixSeconds(deps.clock));
  if (!deleted) throw notFound('eval run', runId);
  deps.nudge();
  return { object: 'eval.run.deleted' as const, deleted: true as const, run_id: runId };
}
