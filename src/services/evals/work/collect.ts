import { judgeCalls } from '../../../core/eval/grade-item.ts';
import { type Answer, answerOfLine, answerOfRow, completeSample } from '../../../core/eval/sample.ts';
import { withUsage } from '../../../core/eval/tally.ts';
import { unixSeconds } from '../../../ports/clock.ts';
import type { BatchRow } from '../../../ports/store-batches.ts';
import type { EvalItemRow, EvalOutputRow } from '../../../ports/store-evals.ts';
import type { OutputLine } from '../../../protocol/result-line.ts';
import { fail } from './make-batch.ts';
import { outputPages, whyUnreadable } from './output-lines.ts';
import { next, type TargetWork, take } from './turn.ts';

const ITEMS_AT_ONCE = 200;

/** Keeps the answers of a target, page by page: those of its batch, or those that the rows bring. */
export async function collect(work: TargetWork): Promise<void> {
  const asker = work.plan.askers[work.target.target];
  if (asker == null) return collectRows(work);
  const batch = await work.deps.store.batches.get('all', work.target.batchId ?? '');
  const problem = await whyUnreadable(work, batch);
  if (batch === null || problem !== null)
    return fail(work, problem ?? { code: 'batch_gone', message: 'The batch is gone.' });
  for await (const lines of outputPages(work, batch, { from: work.target.cursor, most: ITEMS_AT_ONCE })) {
    await keepLines(work, batch, lines);
    if (!work.mayGoOn()) return;
  }
  await take(work, { to: next('judge') });
}

/** Lines follow the items: the n-th answers the n-th. */
async function keepLines(work: TargetWork, batch: BatchRow, lines: readonly OutputLine[]): Promise<void> {
  const { deps, run, target, plan } = work;
  const asker = plan.askers[target.target];
  const first = target.cursor;
  const [items, latencies] = await Promise.all([
    deps.store.evals.items(run.id, first, lines.length),
    deps.store.evalWork.latencies(batch.id, first + 1, first + lines.length),
  ]);
  const byItem = new Map(items.map((each) => [each.item, each]));
  let { usage, errored } = target;
  const outputs = lines.map((line): EvalOutputRow => {
    const item = byItem.get(line.weir.line - 1);
    if (item === undefined || asker == null) throw new Error(`line ${line.weir.line} of ${batch.id} answers no item`);
    const body = asker.body(item.row.item);
    const answer = answerOfLine(line, { messages: asker.messages(item.row.item), body });
    if (answer.sample.error === null) usage = withUsage(usage, answer.sample.model, answer.sample.usage);
    else errored += 1;
    return {
      ...outputOf(work, item, answer),
      provider: line.weir.provider,
      model: line.weir.model,
      latencyMs: latencies.get(line.weir.line) ?? null,
      costNano: line.weir.cost_nano_usd,
      inputTokens: line.weir.input_tokens,
      outputTokens: line.weir.output_tokens,
    };
  });
  const last = lines.at(-1)?.weir.line ?? first;
  await take(work, { to: { cursor: last, usage, errored }, outputs });
}

async function collectRows(work: TargetWork): Promise<void> {
  for (;;) {
    const items = await work.deps.store.evals.items(work.run.id, work.target.cursor, ITEMS_AT_ONCE);
    if (items.length === 0) return take(work, { to: next('judge') });
    const outputs = items.map((item) => outputOf(work, item, answerOfRow(item.row.sample ?? {})));
    await take(work, { to: { cursor: (items.at(-1)?.item ?? 0) + 1 }, outputs });
    if (!work.mayGoOn()) return;
  }
}

function outputOf(work: TargetWork, { item, row }: EvalItemRow, answer: Answer): EvalOutputRow {
  const isError = answer.sample.error !== null;
  const subject = { item: row.item, sample: completeSample(answer.subject) };
  return {
    target: work.target.target,
    item,
    status: isError ? 'error' : 'pending',
    score: null,
    sample: answer.sample,
    subject: answer.subject,
    calls: isError ? 0 : judgeCalls(work.plan.graders, subject).length,
    answers: null,
    results: [],
    provider: null,
    model: answer.sample.model === '' ? null : answer.sample.model,
    latencyMs: null,
    costNano: null,
    inputTokens: 0,
    outputTokens: 0,
    truncated: answer.truncated,
    refused: answer.refused,
    createdAt: unixSeconds(work.deps.clock),
  };
}

/** Where the graders of a target stand: what `collect` keeps of an answer, ready to grade. */
export function subjectOf(output: EvalOutputRow & { row: EvalItemRow['row'] }) {
  return { item: output.row.item, sample: completeSample(output.subject) };
}
