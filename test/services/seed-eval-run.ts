import type { Store } from '../../src/ports/store.ts';
import type { EvalOutputRow, EvalTargetRow, EvalTargetSpec } from '../../src/ports/store-evals.ts';

export interface SeededTarget {
  name: string;
  /** For each item: passed (`1`), failed (`0`), not to be graded (`?`), no answer (`!`); not there yet (` `). */
  verdicts: string;
  costNano?: number | null;
  latencyMs?: number | null | ((item: number) => number | null);
  spec?: Partial<EvalTargetSpec>;
  /** It ended as a whole, without answers. */
  error?: { code: string; message: string };
  output?: Partial<EvalOutputRow>;
  text?: (item: number) => string;
}

export interface SeededRun {
  evalId: string;
  runId: string;
  tenantId: string;
  createdAt: number;
  targets: readonly SeededTarget[];
  isRunning?: boolean;
  itemOf?: (item: number) => Record<string, unknown>;
}

/** Stores an eval, unless it is there, and a run of it as the background work would have left it. */
export async function seedEvalRun(store: Store, seed: SeededRun): Promise<void> {
  const { evalId, runId, tenantId, createdAt, targets } = seed;
  await store.evals.insert({
    id: evalId,
    tenantId,
    keyId: null,
    name: 'Sums',
    dataSourceConfig: { type: 'custom', schema: { type: 'object' } },
    testingCriteria: [
      { type: 'numeric', name: 'right', input: '{{sample.output_text}}', reference: '{{item.answer}}' },
    ],
    metadata: null,
    createdAt,
    updatedAt: createdAt,
  });
  await store.evals.insertRun(
    {
      id: runId,
      evalId,
      tenantId,
      keyId: null,
      name: 'Nightly',
      metadata: null,
      dataSource: { type: 'completions', source: { type: 'file_id', id: 'file-1' } },
      content: null,
      completionWindow: 'immediate',
      status: 'queued',
      error: null,
      itemsRead: 0,
      byteOffset: 0,
      createdAt,
      startedAt: null,
      endedAt: null,
      deletedAt: null,
    },
    targets.map((target, index) => targetRow(runId, index, target)),
  );
  await work(store, seed);
}

async function work(store: Store, { runId, targets, createdAt, isRunning, itemOf }: SeededRun): Promise<void> {
  const token = 'seeder';
  await store.evalWork.claimDue({ now: createdAt, until: createdAt + 60, token, limit: 100 });
  const count = Math.max(...targets.map(({ verdicts }) => verdicts.length));
  const items = Array.from({ length: count }, (_none, item) => ({
    item,
    row: { item: itemOf?.(item) ?? { id: `sum-${item}`, question: `${item} + ${item}?`, answer: String(2 * item) } },
  }));
  await store.evalWork.addItems({ runId, token, itemsRead: 0 }, items, 0);
  await store.evalWork.begin(runId, token, createdAt);
  for (const [target, seeded] of targets.entries()) {
    const outputs = Array.from(seeded.verdicts, (verdict, item) => outputRow(target, item, verdict, seeded, createdAt));
    const to = isRunning ? { cursor: 1 } : { stage: 'done' as const, error: seeded.error ?? null };
    const there = outputs.filter((_row, item) => seeded.verdicts[item] !== ' ');
    await store.evalWork.step({ runId, token, target, from: { stage: 'ask', cursor: 0 }, to, outputs: there });
  }
  if (!isRunning) await store.evalWork.end(runId, token, { status: 'completed', error: null, now: createdAt + 30 });
}

function targetRow(runId: string, target: number, { name, spec, verdicts }: SeededTarget): EvalTargetRow {
  const count = (wanted: string): number => verdicts.split(wanted).length - 1;
  return {
    runId,
    target,
    name,
    spec: { model: name, completion_window: 'immediate', ...spec },
    stage: 'ask',
    error: null,
    cursor: 0,
    batchId: null,
    judgeBatchId: null,
    embeddingBatchId: null,
    otherJudgeBatchIds: [],
    passed: count('1'),
    failed: count('0'),
    errored: count('!') + count('?'),
    criteria: [],
    usage: [],
  };
}

function outputRow(
  target: number,
  item: number,
  verdict: string,
  { costNano = 1_000, latencyMs = 100 + item, output, text }: SeededTarget,
  createdAt: number,
): EvalOutputRow {
  const hasAnswer = verdict !== '!';
  const timeOf = typeof latencyMs === 'function' ? latencyMs(item) : latencyMs;
  const score = verdict === '1' || verdict === '0' ? Number(verdict) : null;
  const content = text?.(item) ?? `It is ${2 * item}.`;
  return {
    target,
    item,
    status: verdict === '1' ? 'pass' : verdict === '0' ? 'fail' : 'error',
    score,
    sample: {
      input: [{ role: 'user', content: `${item} + ${item}?` }],
      output: hasAnswer ? [{ role: 'assistant', content }] : [],
      finish_reason: hasAnswer ? 'stop' : null,
      model: 'served',
      usage: { total_tokens: 15, completion_tokens: 5, prompt_tokens: 10, cached_tokens: 0 },
      error: hasAnswer ? null : { code: 'server_error', message: 'The provider failed.' },
      temperature: null,
      max_completion_tokens: null,
      top_p: null,
      seed: null,
    },
    subject: hasAnswer ? { output_text: content } : {},
    calls: 0,
    answers: null,
    results: hasAnswer ? [{ name: 'right', type: 'numeric', score, passed: verdict === '1', sample: null }] : [],
    provider: 'pool',
    model: 'served',
    latencyMs: hasAnswer ? timeOf : null,
    costNano,
    inputTokens: 10,
    outputTokens: hasAnswer ? 5 : 0,
    truncated: false,
    refused: false,
    createdAt,
    ...output,
  };
}
