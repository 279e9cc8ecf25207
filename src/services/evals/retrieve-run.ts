import { notFound } from '../../core/api-error.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { EvalLease } from '../../ports/store-evals.ts';
import type { EvalRunObject } from '../../protocol/eval-run.ts';
import { presentRun } from './present-run.ts';

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

/** The run, with what it has cost so far. */
export async function retrieveRun(deps: Deps, context: Context, path: RunPath, origin: string): Promise<EvalRunObject> {
  const found = await fetchRun(deps, context, path);
  const batches = new Map<string, BatchRow>();
  for (const { batchId, judgeBatchId, embeddingBatchId } of found.targets) {
    for (const id of [batchId, judgeBatchId, embeddingBatchId]) {
      const row = id === null ? null : await deps.store.batches.get('all', id);
      if (row !== null) batches.set(row.id, row);
    }
  }
  return presentRun(found, origin, batches);
}
