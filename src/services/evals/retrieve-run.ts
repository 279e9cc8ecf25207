import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { EvalRunObject } from '../../protocol/eval-run.ts';
import { fetchRun, type RunPath } from './fetch-run.ts';
import { judgeBatchIds } from './judge-batches.ts';
import { presentRun } from './present-run.ts';

/** The run, with what it has cost so far. */
export async function retrieveRun(deps: Deps, context: Context, path: RunPath, origin: string): Promise<EvalRunObject> {
  const found = await fetchRun(deps, context, path);
  const batches = new Map<string, BatchRow>();
  for (const target of found.targets) {
    for (const id of [target.batchId, ...judgeBatchIds(target)]) {
      const row = id === null ? null : await deps.store.batches.get('all', id);
      if (row !== null) batches.set(row.id, row);
    }
  }
  return presentRun(found, origin, batches);
}
