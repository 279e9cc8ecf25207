import type { EvalTargetRow } from '../../ports/store-evals.ts';

/** The batches that judge a target's answers, as far as they are made. */
export function judgeBatchIds({
  judgeBatchId,
  embeddingBatchId,
  otherJudgeBatchIds,
}: Pick<EvalTargetRow, 'judgeBatchId' | 'embeddingBatchId' | 'otherJudgeBatchIds'>): string[] {
  return [judgeBatchId, embeddingBatchId, ...otherJudgeBatchIds].filter((id) => id !== null);
}
