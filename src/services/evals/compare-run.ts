import { type AnswerForm, answerFormOf, hasForm } from '../../core/eval/answer-form.ts';
import { resamplesFor } from '../../core/eval/bootstrap.ts';
import { compareTargets } from '../../core/eval/compare.ts';
import type { ItemRecord, TargetRecords } from '../../core/eval/item-record.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalFigureRow, EvalLease, EvalTargetRow } from '../../ports/store-evals.ts';
import type { EvalComparison } from '../../protocol/eval-comparison.ts';
import { fetchRun, type RunPath } from './fetch-run.ts';

const PAGE_ROWS = 1_000;
/** Records that one comparison holds in memory: of all targets together. */
const RECORDS_MAX = 400_000;
const CONFIDENCE = 0.95;
/** Others get their turn after so long. */
const SLICE_MS = 15;

export interface CompareOptions {
  seed: number;
  /** Of few items; more items get fewer. */
  resamples: number;
}

/**
 * Compares the targets of a run on the items that all of them are graded on. Targets that failed as a whole are named
 * apart. Throws 404.
 */
export async function compareRun(
  deps: Deps,
  context: Context,
  path: RunPath,
  options: CompareOptions,
): Promise<EvalComparison> {
  const found = await fetchRun(deps, context, path);
  const isFailed = (target: EvalTargetRow): boolean => target.stage === 'done' && target.error !== null;
  const compared = found.targets.filter((target) => !isFailed(target));
  const most = Math.floor(RECORDS_MAX / Math.max(1, compared.length));
  const all: ItemRecord[][] = [];
  for (const target of compared) all.push(await recordsOf(deps, context, found, target, most));
  const targets = commonItems(compared, all);
  const items = targets[0]?.records.length ?? 0;
  const resamples = resamplesFor(items, options.resamples);
  const figures = await inSlices(
    deps,
    context,
    compareTargets(targets, { ...options, resamples, confidence: CONFIDENCE }),
  );
  return {
    object: 'eval.comparison',
    eval_id: path.evalId,
    run_id: path.runId,
    status: found.run.status,
    items_left_out: Math.max(0, found.run.itemsRead - most),
    failed_targets: found.targets.filter(isFailed).map(({ name, error }) => ({
      target: name,
      code: error?.code ?? 'failed',
      message: error?.message ?? '',
    })),
    ...figures,
  };
}

/** The first items of a target, as far as they are graded. */
async function recordsOf(
  deps: Deps,
  { signal }: Context,
  { run }: EvalLease,
  target: EvalTargetRow,
  most: number,
): Promise<ItemRecord[]> {
  const form = answerFormOf(target.spec.sampling_params ?? {});
  const records: ItemRecord[] = [];
  let after = -1;
  while (records.length < most) {
    signal.throwIfAborted();
    const limit = Math.min(PAGE_ROWS, most - records.length);
    const query = { target: target.target, after, limit, withSubject: form !== null };
    const rows = await deps.store.evals.figures(run.id, query);
    for (const row of rows) if (row.status !== 'pending') records.push(recordOf(row, form));
    after = rows.at(-1)?.item ?? after;
    if (rows.length < limit) break;
  }
  return records;
}

function recordOf(row: EvalFigureRow, form: AnswerForm | null): ItemRecord {
  const { subject, status, ...figures } = row;
  const isWhole = row.answered && !row.truncated && !row.refused;
  return {
    ...figures,
    score: row.answered ? row.score : null,
    passed: status === 'error' ? null : status === 'pass',
    valid: isWhole && (form === null || hasForm(form, subject?.output_json)),
  };
}

/** Records of the items that every target has, in one order. */
function commonItems(targets: readonly EvalTargetRow[], all: readonly ItemRecord[][]): TargetRecords[] {
  const counts = new Map<number, number>();
  for (const records of all) for (const { item } of records) counts.set(item, (counts.get(item) ?? 0) + 1);
  return targets.map(({ name }, index) => ({
    target: name,
    records: (all[index] ?? []).filter(({ item }) => counts.get(item) === targets.length),
  }));
}

/** Runs steps to their end, giving way to others now and then. Rejects when nobody waits for it any more. */
async function inSlices<T>({ clock }: Deps, { signal }: Context, steps: Generator<void, T>): Promise<T> {
  let since = steadyMs(clock);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (steadyMs(clock) - since < SLICE_MS) continue;
    await clock.sleep(0, signal);
    signal.throwIfAborted();
    since = steadyMs(clock);
  }
}
