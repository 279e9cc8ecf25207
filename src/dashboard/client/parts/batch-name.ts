import type { BatchObject } from '../../../protocol/batch.ts';
import { shortId } from '../format.ts';

/** What a batch is called: what its owner named it by, else its id. */
export function batchName(batch: Pick<BatchObject, 'id' | 'metadata'>): string {
  return batch.metadata?.name ?? batch.metadata?.title ?? batch.metadata?.description ?? shortId(batch.id);
}
