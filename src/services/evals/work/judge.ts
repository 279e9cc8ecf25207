import { judgeCalls } from '../../../core/eval/grade-item.ts';
import { type JudgePlace, ownPlaces, placeKey } from '../../../core/eval/grader.ts';
import { subjectOf } from './collect.ts';
import { type AskedLine, makeBatch, orFail } from './make-batch.ts';
import { next, type Part, type TargetWork, take } from './turn.ts';

const OUTPUTS_AT_ONCE = 200;

/**
 * Asks the judges about a target's answers, as batches: one of chat completions, one of embeddings, and one for each route
 * or window that judges have of their own, where there are any.
 */
export async function askJudges(work: TargetWork): Promise<void> {
  if (work.plan.graders.every(({ asks }) => asks.length === 0)) return take(work, { to: next('grade') });
  await orFail(work, async () => {
    const judgeBatchId = await batchOf(work, 'judges', { endpoint: '/v1/chat/completions' });
    const embeddingBatchId = await batchOf(work, 'embeddings', { endpoint: '/v1/embeddings' });
    const otherJudgeBatchIds: string[] = [];
    for (const [index, place] of ownPlaces(work.plan.graders).entries()) {
      const id = await batchOf(work, `judges-${index + 1}`, place);
      if (id !== null) otherJudgeBatchIds.push(id);
    }
    const isAsked = judgeBatchId !== null || embeddingBatchId !== null || otherJudgeBatchIds.length > 0;
    const stage = isAsked ? 'judging' : 'grade';
    await take(work, { to: { ...next(stage), judgeBatchId, embeddingBatchId, otherJudgeBatchIds } });
  });
}

function batchOf(work: TargetWork, part: Part, place: JudgePlace): Promise<string | null> {
  return makeBatch(work, part, place, () => linesOf(work, placeKey(place)));
}

/** The calls to one place, item by item; `custom_id` says which call of which item. */
async function* linesOf(work: TargetWork, place: string): AsyncGenerator<AskedLine> {
  const { target } = work.target;
  for (let item = -1; ; ) {
    const query = { target, status: 'pending' as const, after: { target, item }, limit: OUTPUTS_AT_ONCE };
    const outputs = await work.deps.store.evals.outputs(work.run.id, query);
    for (const output of outputs) {
      for (const [number, call] of judgeCalls(work.plan.graders, subjectOf(output)).entries()) {
        if (placeKey(call.at) === place) yield { id: callId(output.item, number), body: call.body };
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
