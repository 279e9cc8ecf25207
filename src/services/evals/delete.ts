import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';

/** Deletes an eval with its runs: those that run are stopped, and their contents go in the background. Throws 404. */
export async function deleteEval(deps: Deps, { actor }: Context, id: string) {
  const deleted = await deps.store.evals.delete(scopeOf(actor), id, unixSeconds(deps.clock));
  if (!deleted) throw notFound('eval', id);
  deps.nudge();
  return { object: 'eval.deleted' as const, deleted: true as const, eval_id: id };
}
