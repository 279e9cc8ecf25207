import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { EvalRunObject } from '../../protocol/eval-run.ts';
import type { RunPath } from './fetch-run.ts';
import { presentRun } from './present-run.ts';

/**
 * Stops a run. Its batches are cancelled in the background: what is in flight finishes and is paid for, and their
 * outputs stay. Repeating it changes nothing. Throws 404, and 409 for a run that has ended otherwise.
 */
export async function cancelRun(
  deps: Deps,
  { actor }: Context,
  { evalId, runId }: RunPath,
  origin: string,
): Promise<EvalRunObject> {
  const found = await deps.store.evals.cancelRun(scopeOf(actor), evalId, runId, unixSeconds(deps.clock));
  if (found === null) throw notFound('eval run', runId);
  if (found.run.status !== 'canceled') {
    throw new ApiError(409, `Cannot cancel a run with status '${found.run.status}'.`, { code: 'run_not_cancellable' });
  }
  deps.nudge();
  return presentRun(found, origin);
}
