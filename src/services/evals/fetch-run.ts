import { notFound } from '../../core/api-error.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { EvalLease } from '../../ports/store-evals.ts';

export interface RunPath {
  evalId: string;
  runId: string;
}

/** The run with its targets. Throws 404 when it does not exist, is of another eval or another tenant's. */
export async function fetchRun(
  deps: Pick<Deps, 'store'>,
  { actor }: Pick<Context, 'actor'>,
  { evalId, runId }: RunPath,
): Promise<EvalLease> {
  const found = await deps.store.evals.getRun(scopeOf(actor), evalId, runId);
  if (found === null) throw notFound('eval run', runId);
  return found;
}
