import { ApiError } from '../../core/api-error.ts';
import { formatUsd } from '../../core/money.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalItemRow, EvalOutputRow, EvalTargetRow } from '../../ports/store-evals.ts';
import type { EvalComparedItem, EvalComparedOutput } from '../../protocol/eval-compared-item.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { fetchRun, type RunPath } from './fetch-run.ts';

export interface ComparedItemsQuery {
  limit: number;
  /** The id of the last one seen. */
  after?: string | undefined;
  /** Only those that some targets passed and others did not. */
  differing: boolean;
}

/** The items of a run in order, each with what every target made of it. Throws 404, and 400 for a wrong cursor. */
export async function comparedItems(
  deps: Deps,
  context: Context,
  path: RunPath,
  { limit, after: cursor, differing }: ComparedItemsQuery,
): Promise<Page<EvalComparedItem>> {
  const { run, targets } = await fetchRun(deps, context, path);
  const after = cursor === undefined ? -1 : placeOf(cursor);
  const items = differing
    ? await differingItems(deps, run.id, after, limit + 1)
    : await deps.store.evals.items(run.id, after + 1, limit + 1);
  const shown = items.slice(0, limit);
  const outputs = await Promise.all(targets.map(({ target }) => outputsOf(deps, run.id, target, shown, differing)));
  const present = (item: EvalItemRow): EvalComparedItem =>
    presentItem(
      item,
      targets.map((target, index) => presentOutput(target, outputs[index]?.get(item.item))),
    );
  return { ...toPage(shown.map(present), limit), has_more: items.length > limit };
}

async function differingItems(deps: Deps, runId: string, after: number, limit: number): Promise<EvalItemRow[]> {
  const places = await deps.store.evals.differing(runId, { after, limit });
  const found = await Promise.all(places.map((place) => deps.store.evals.items(runId, place, 1)));
  return found.flat();
}

/** A target's outputs of those items, by their place. */
async function outputsOf(
  deps: Deps,
  runId: string,
  target: number,
  items: readonly EvalItemRow[],
  scattered: boolean,
): Promise<ReadonlyMap<number, EvalOutputRow>> {
  const read = (item: number, limit: number) =>
    deps.store.evals.outputs(runId, { target, after: { target, item: item - 1 }, limit });
  const [first] = items;
  if (first === undefined) return new Map();
  const rows = scattered
    ? (await Promise.all(items.map(({ item }) => read(item, 1)))).flat()
    : await read(first.item, items.length);
  return new Map(rows.map((row) => [row.item, row]));
}

const PREFIX = 'item_';

function placeOf(id: string): number {
  const place = id.startsWith(PREFIX) ? Number(id.slice(PREFIX.length)) : Number.NaN;
  if (Number.isSafeInteger(place) && place >= 0) return place;
  throw new ApiError(400, `'${id.slice(0, 128)}' is no item of this run. Use the last id of a page.`, {
    code: 'invalid_cursor',
    param: 'after',
  });
}

function presentItem({ item, row }: EvalItemRow, outputs: EvalComparedOutput[]): EvalComparedItem {
  const has = (holds: (output: EvalComparedOutput) => boolean): boolean => outputs.some(holds);
  return {
    id: `${PREFIX}${item}`,
    object: 'eval.compared_item',
    datasource_item_id: item,
    datasource_item: row.item,
    differs:
      has(({ status }) => status === 'pass') &&
      has(({ status, error }) => status === 'fail' || (status === 'error' && error !== null)),
    outputs,
  };
}

function presentOutput({ name }: EvalTargetRow, row: EvalOutputRow | undefined): EvalComparedOutput {
  if (row === undefined) return { ...NOTHING, target: name };
  const { sample } = row;
  const texts = (sample.output ?? []).map(({ content }) => content);
  return {
    target: name,
    status: row.status,
    score: row.score,
    text: texts.length === 0 ? null : texts.join('\n'),
    error: sample.error ?? null,
    finish_reason: sample.finish_reason ?? null,
    grades: row.results.map(({ name: grader, passed, score, error }) => ({
      name: grader,
      passed,
      score,
      error: error?.message ?? null,
    })),
    latency_ms: row.latencyMs,
    cost_nano_usd: row.costNano,
    cost_usd: formatUsd(row.costNano),
  };
}

const NOTHING: Omit<EvalComparedOutput, 'target'> = {
  status: 'pending',
  score: null,
  text: null,
  error: null,
  finish_reason: null,
  grades: [],
  latency_ms: null,
  cost_nano_usd: null,
  cost_usd: null,
};
