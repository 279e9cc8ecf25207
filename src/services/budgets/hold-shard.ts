import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';

/** A part of a batch that its budget does not allow is cut, down to this part of the batch; then the batch stops. */
const SMALLEST_PART = 1 / 64;

/**
 * Whether a provider batch of `lines` of the batch's lines may be made: `go`; `wait` for others that are under way, of which
 * less may be spent than they may come to; `halve` as only a part of it fits what is left; or `stop` the batch. `linesMin`:
 * fewer than these the provider does not take; `most`: what they may come to, in nano-USD, where the batch has no estimate.
 * That is kept also where no budget covers the batch: one that is made while they are under way counts them.
 */
export async function holdShard(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  batch: BatchRow,
  { id, lines, linesMin, most }: { id: string; lines: number; linesMin: number; most: () => Promise<number> },
): Promise<'go' | 'wait' | 'halve' | 'stop'> {
  const now = unixSeconds(clock);
  const high = batch.estimate?.amountNano.high ?? null;
  const boundNano = high === null ? await most() : Math.ceil((high * lines) / Math.max(1, batch.total));
  const outcome = await store.budgets.holdShard({ id, batchId: batch.id, boundNano }, now);
  if (outcome === 'fits') return 'go';
  if (outcome === 'full') return 'wait';
  const half = Math.floor(lines / 2);
  return half >= Math.max(1, linesMin, batch.total * SMALLEST_PART) ? 'halve' : 'stop';
}
