import { notFound } from '../../core/api-error.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { EvalStoredRow } from '../../ports/store-evals.ts';
import type { EvalObject } from '../../protocol/eval.ts';
import { presentEval } from './present.ts';

/** The eval's row. Throws 404 when it does not exist or is another tenant's. */
export async function fetchEval(
  deps: Pick<Deps, 'store'>,
  { actor }: Pick<Context, 'actor'>,
  id: string,
): Promise<EvalStoredRow> {
  const row = await deps.store.evals.get(scopeOf(actor), id);
  if (row === null) throw notFound('eval', id);
  return row;
}

export async function retrieveEval(deps: Deps, context: Context, id: string): Promise<EvalObject> {
  return presentEval(await fetchEval(deps, context, id));
}
