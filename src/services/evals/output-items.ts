import { ApiError, notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalLease, EvalOutputRow } from '../../ports/store-evals.ts';
import type { EvalItemStatus, EvalOutputItem } from '../../protocol/eval-output-item.ts';
import type { EvalRow } from '../../protocol/eval-run.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { fetchRun, type RunPath } from './fetch-run.ts';

interface Place {
  target: number;
  item: number;
}

/** Items of a run with what was answered and how it was graded, target by target, in order of items. Throws 404. */
export async function listOutputItems(
  deps: Deps,
  context: Context,
  path: RunPath,
  query: {
    limit: number;
    after?: string | undefined;
    order: 'asc' | 'desc';
    status?: EvalItemStatus | undefined;
    target?: string | undefined;
  },
): Promise<Page<EvalOutputItem>> {
  const found = await fetchRun(deps, context, path);
  const { limit, order, status } = query;
  const after = query.after === undefined ? undefined : placeOf(path.runId, query.after);
  if (after === null) {
    throw new ApiError(
      400,
      `'${query.after?.slice(0, 128)}' is no output item of this run. Use the last id of a page.`,
      {
        code: 'invalid_cursor',
        param: 'after',
      },
    );
  }
  const target = query.target === undefined ? undefined : targetOf(found, query.target);
  const rows = await deps.store.evals.outputs(path.runId, { limit: limit + 1, order, status, after, target });
  return toPage(
    rows.map((row) => present(found, row)),
    limit,
  );
}

/** Throws 404. */
export async function retrieveOutputItem(
  deps: Deps,
  context: Context,
  path: RunPath,
  id: string,
): Promise<EvalOutputItem> {
  const found = await fetchRun(deps, context, path);
  const place = placeOf(path.runId, id);
  const [row] =
    place === null
      ? []
      : await deps.store.evals.outputs(path.runId, {
          target: place.target,
          after: { ...place, item: place.item - 1 },
          limit: 1,
        });
  if (row === undefined || row.item !== place?.item) throw notFound('output item', id);
  return present(found, row);
}

function targetOf({ targets }: EvalLease, name: string): number {
  const target = targets.find((each) => each.name === name || String(each.target) === name);
  if (target !== undefined) return target.target;
  const names = targets.map((each) => `'${each.name}'`).join(', ');
  throw new ApiError(400, `This run has no target '${name.slice(0, 128)}'. It has ${names}.`, {
    code: 'invalid_value',
    param: 'target',
  });
}

function itemId(runId: string, { target, item }: Place): string {
  return `outputitem_${runId.slice('evalrun_'.length)}_${target}_${item}`;
}

function placeOf(runId: string, id: string): Place | null {
  const match = /_(\d{1,4})_(\d{1,10})$/.exec(id);
  const place = { target: Number(match?.[1]), item: Number(match?.[2]) };
  return match !== null && itemId(runId, place) === id ? place : null;
}

function present({ run, targets }: EvalLease, row: EvalOutputRow & { row: EvalRow }): EvalOutputItem {
  return {
    id: itemId(run.id, row),
    object: 'eval.run.output_item',
    created_at: row.createdAt,
    run_id: run.id,
    eval_id: run.evalId,
    status: row.status,
    datasource_item_id: row.item,
    datasource_item: row.row.item,
    results: row.results,
    sample: row.sample,
    weir: {
      target: targets[row.target]?.name ?? '',
      target_index: row.target,
      provider: row.provider,
      score: row.score,
      latency_ms: row.latencyMs,
      cost_nano_usd: row.costNano,
      truncated: row.truncated,
      refused: row.refused,
    },
  };
}
