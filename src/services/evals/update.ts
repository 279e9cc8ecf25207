import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { EvalObject, EvalUpdate } from '../../protocol/eval.ts';
import { presentEval } from './present.ts';

/** Renames an eval, or replaces its metadata. What it measures stays, so that its runs can be compared. Throws 404. */
export async function updateEval(deps: Deps, { actor }: Context, id: string, change: EvalUpdate): Promise<EvalObject> {
  const row = await deps.store.evals.update(scopeOf(actor), id, { ...change, now: unixSeconds(deps.clock) });
  if (row === null) throw notFound('eval', id);
  return presentEval(row);
}
