import type { JudgeAnswer } from '../../../core/eval/grader.ts';
import { isSound } from '../../../core/eval/sample.ts';
import { withUsage } from '../../../core/eval/tally.ts';
import { type Fields, fieldsOf, listOf } from '../../../core/fields.ts';
import { emptyUsage, toBatchUsage, usageFromOpenAI } from '../../../core/usage.ts';
import type { EvalStage } from '../../../ports/store-evals.ts';
import type { OutputLine } from '../../../protocol/result-line.ts';
import { callOf } from './judge.ts';
import { outputPages, whyUnreadable } from './output-lines.ts';
import { next, type TargetWork, take } from './turn.ts';

const LINES_AT_ONCE = 200;

/**
 * Keeps what batches of judges answered with the outputs that they are about, page by page; then goes to `stage`. The cursor
 * counts the lines of all of them, one batch after the other.
 */
export async function absorb(work: TargetWork, batchIds: readonly (string | null)[], stage: EvalStage): Promise<void> {
  let before = 0;
  for (const id of batchIds) {
    const batch = id === null ? null : await work.deps.store.batches.get('all', id);
    const from = Math.max(0, work.target.cursor - before);
    // Without their answers the grades say that the judges failed.
    if (batch !== null && from < batch.total && (await whyUnreadable(work, batch)) === null) {
      for await (const lines of outputPages(work, batch, { from, most: LINES_AT_ONCE })) {
        await keep(work, lines, before);
        if (!work.mayGoOn()) return;
      }
    }
    before += batch?.total ?? 0;
  }
  await take(work, { to: next(stage) });
}

async function keep(work: TargetWork, lines: readonly OutputLine[], before: number): Promise<void> {
  const { target } = work.target;
  const first = callOf(lines[0]?.custom_id ?? '').item;
  const last = callOf(lines.at(-1)?.custom_id ?? '').item;
  const query = { target, after: { target, item: first - 1 }, limit: last - first + 1 };
  const known = await work.deps.store.evals.outputs(work.run.id, query);
  const answers = new Map(known.map((output) => [output.item, { ...output.answers }]));
  let { usage } = work.target;
  for (const line of lines) {
    const { item, place } = callOf(line.custom_id);
    const kept = answers.get(item);
    if (kept !== undefined) kept[place] = answerOf(line);
    if (line.error !== null) continue;
    const body = fieldsOf(line.response?.body);
    const tokens = toBatchUsage(usageFromOpenAI(body).usage ?? emptyUsage);
    usage = withUsage(usage, typeof body.model === 'string' ? body.model : (line.weir.model ?? ''), {
      prompt_tokens: tokens.input_tokens,
      completion_tokens: tokens.output_tokens,
      cached_tokens: tokens.input_tokens_details.cached_tokens,
      total_tokens: tokens.total_tokens,
    });
  }
  const changed = new Set(lines.map((line) => callOf(line.custom_id).item));
  await take(work, {
    to: { cursor: before + (lines.at(-1)?.weir.line ?? 0), usage },
    answers: [...answers].filter(([item]) => changed.has(item)).map(([item, kept]) => ({ item, answers: kept })),
  });
}

/** As much of an answer as graders read. */
function answerOf({ response, error }: OutputLine): JudgeAnswer {
  if (error !== null || response === null) {
    return { error: { code: error?.code ?? 'error', message: error?.message ?? 'The request failed.' } };
  }
  const { model, choices, data, usage } = fieldsOf(response.body);
  const kept: Fields = {
    model: typeof model === 'string' ? model : null,
    usage: isSound(usage) ? (usage ?? null) : null,
  };
  if (Array.isArray(choices)) {
    const { message, finish_reason: end } = listOf(choices)[0] ?? {};
    const { content } = fieldsOf(message);
    const text = typeof content === 'string' ? content : null;
    kept.choices = [{ message: { content: text }, finish_reason: typeof end === 'string' ? end : null }];
  }
  if (Array.isArray(data))
    kept.data = listOf(data).map(({ embedding }) => ({ embedding: isSound(embedding) ? embedding : null }));
  return { body: kept };
}
