import { sumTallies } from '../../core/eval/tally.ts';
import { formatUsd } from '../../core/money.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { EvalLease, EvalRunRow, EvalTargetRow } from '../../ports/store-evals.ts';
import type { EvalRunObject } from '../../protocol/eval-run.ts';
import { judgeBatchIds } from './judge-batches.ts';

type RunTarget = EvalRunObject['targets'][number];

/** The run as clients see it. `origin`: where its report is found. `batches`: for what it cost, where that is asked for. */
export function presentRun(
  { run, targets }: EvalLease,
  origin: string,
  batches?: ReadonlyMap<string, BatchRow>,
): EvalRunObject {
  const { counts, criteria, usage } = sumTallies(targets, run.itemsRead * targets.length);
  return {
    id: run.id,
    object: 'eval.run',
    eval_id: run.evalId,
    created_at: run.createdAt,
    name: run.name,
    model: targets.map(({ spec, name }) => spec.model ?? name).join(', '),
    status: run.status,
    error: run.error,
    data_source: withContent(run),
    metadata: run.metadata,
    report_url: `${origin}/dashboard/evals/${run.evalId}?run=${run.id}`,
    result_counts: counts,
    per_testing_criteria_results: criteria,
    per_model_usage: usage,
    completion_window: run.completionWindow,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    targets: targets.map((target) => presentTarget(run, target, batches)),
  };
}

function withContent({ dataSource, content }: EvalRunRow): EvalRunObject['data_source'] {
  if (content === null) return dataSource;
  return { ...dataSource, source: { type: 'file_content', content } };
}

function presentTarget(
  run: EvalRunRow,
  target: EvalTargetRow,
  batches: ReadonlyMap<string, BatchRow> | undefined,
): RunTarget {
  const judges = judgeBatchIds(target);
  const { passed, failed, errored } = target;
  return {
    index: target.target,
    name: target.name,
    model: target.spec.model ?? null,
    status: statusOf(run, target),
    error: target.error,
    batch_id: target.batchId,
    judge_batch_ids: judges,
    result_counts: { total: run.itemsRead, passed, failed, errored },
    per_testing_criteria_results: target.criteria,
    per_model_usage: target.usage,
    ...(batches && {
      cost: costOf(batches, target.batchId === null ? [] : [target.batchId]),
      judge_cost: costOf(batches, judges),
    }),
  };
}

function statusOf(run: EvalRunRow, { stage, error }: EvalTargetRow): RunTarget['status'] {
  if (run.status === 'queued') return 'queued';
  switch (stage) {
    case 'ask':
    case 'sampling':
      return 'sampling';
    case 'judge':
    case 'judging':
      return 'judging';
    case 'collect':
    case 'absorb':
    case 'absorb_embeddings':
    case 'absorb_others':
    case 'grade':
      return 'grading';
    case 'done':
      return error === null ? 'completed' : 'failed';
  }
}

function costOf(batches: ReadonlyMap<string, BatchRow>, ids: readonly string[]): NonNullable<RunTarget['cost']> {
  const rows = ids.flatMap((id) => batches.get(id) ?? []);
  const amount = rows.reduce((sum, { amountNano }) => sum + amountNano, 0n);
  return {
    amount_nano_usd: Number(amount),
    amount_usd: formatUsd(amount) ?? '0',
    unpriced_entries: rows.reduce((sum, { unpricedEntries }) => sum + unpricedEntries, 0),
  };
}
