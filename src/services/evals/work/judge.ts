import { judgeCalls } from '../../../core/eval/grade-item.ts';
import type { JudgeCall } from '../../../core/eval/grader.ts';
import { subjectOf } from './collect.ts';
import { type AskedLine, makeBatch, orFail } from './make-batch.ts';
import { next, type TargetWork, take } from './turn.ts';

const OUTPUTS_AT_ONCE = 200;

/** Asks the judges about a target's answers, as batches: one of chat completions, one of embeddings, where there are any. */
export async function askJudges(work: TargetWork): Promise<void> {
  if (work.plan.graders.every(({ asks }) => asks.length === 0)) return take(work, { to: next('grade') });
  await orFail(work, async () => {
    const judgeBatchId = await batchOf(work, 'judges', '/v1/chat/completions');
    const embeddingBatchId = await batchOf(work, 'embeddings', '/v1/embeddings');
    const stage = judgeBatchId === null && embeddingBatchId === null ? 'grade' : 'judging';
    await take(work, { to: { ...next(stage), judgeBatchId, embeddingBatchId } });
  });
}

function batchOf(
  work: TargetWork,
  part: 'judges' | 'embeddings',
  endpoint: JudgeCall['endpoint'],
): Promise<string | null> {
  return makeBatch(work, part, endpoint, () => linesOf(work, endpoint));
}

/** The calls to one endpoint, item by item; `custom_id` says which call of which item. */
async function* linesOf(work: TargetWork, endpoint: JudgeCall['endpoint']): AsyncGenerator<AskedLine> {
  const { target } = work.target;
  for (let item = -1; ; ) {
    const query = { target, status: 'pending' as const, after: { target, item }, limit: OUTPUTS_AT_ONCE };
    const outputs = await work.deps.store.evals.outputs(work.run.id, query);
    for (const output of outputs) {
      for (const [place, call] of judgeCalls(work.plan.graders, subjectOf(output)).entries()) {
        if (call.endpoint === endpoint) yield { id: callId(output.item, place), body: call.body };
      }
      item = output.item;
    }
    if (outputs.length < OUTPUTS_AT_ONCE) return;
  }
}

function callId(item: number, place: number): string {
  return `item-${item}-call-${place}`;
}

/** Which call of which item a line of a judge's batch answers. */
export function callOf(customId: string): { item: number; place: number } {
  const match = /^item-(\d+)-call-(\d+)$/.exec(customId);
  return { item: Number(match?.[1]), place: Number(match?.[2]) };
}
