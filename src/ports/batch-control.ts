import type { BatchStatus } from '../protocol/batch.ts';

/**
 * Why a batch stops before its lines are done; its rest is written as `batch_cancelled`, `batch_expired`,
 * `budget_exceeded` or `input_lost`.
 */
export type StopReason = 'cancelled' | 'expired' | 'budget' | 'input_lost';

/** What whoever works on a batch needs to know to stop in time. */
export interface BatchControl {
  status: BatchStatus;
  stop: StopReason | null;
  paused: boolean;
  /** Nano-USD that the server which commits may have under way of it, null when no budget covers it; told by commits alone. */
  allowanceNano?: number | null;
}
