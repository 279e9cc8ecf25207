/**
 * The life of a batch, in OpenAI's eight statuses:
 *
 *   validating ──→ in_progress ──→ finalizing ──→ completed
 *     │     │           │              ├────────→ expired
 *     │     │           │              └────────→ cancelled
 *     ↓     │           ↓
 *   failed  └──→ cancelling ──→ cancelled
 *
 * A batch whose window ends, or whose budget is spent, stays in_progress with stop = expired or budget until its calls are
 * done; then it is finalized: as cancelled when lines were left that its budget did not allow.
 */
import { BATCH_STATUSES, type BatchStatus } from '../protocol/batch.ts';

const transitions: Readonly<Record<BatchStatus, readonly BatchStatus[]>> = {
  validating: ['in_progress', 'failed', 'cancelling'],
  in_progress: ['finalizing', 'cancelling'],
  finalizing: ['completed', 'expired', 'cancelled'],
  cancelling: ['cancelled'],
  failed: [],
  completed: [],
  expired: [],
  cancelled: [],
};

/** Whether a batch in this status never changes its status again. */
export function isTerminal(status: BatchStatus): boolean {
  return transitions[status].length === 0;
}

export function canTransition(from: BatchStatus, to: BatchStatus): boolean {
  return transitions[from].includes(to);
}

/** The statuses from which `to` may follow. */
export function statusesBefore(to: BatchStatus): readonly BatchStatus[] {
  return BATCH_STATUSES.filter((from) => canTransition(from, to));
}

/** The statuses in which a batch still has work ahead. */
export const LIVE_STATUSES: readonly BatchStatus[] = BATCH_STATUSES.filter((status) => !isTerminal(status));

/** The statuses in which calls may still bring results: a cancelling batch takes those of its calls in flight. */
export const RESULT_STATUSES: readonly BatchStatus[] = ['in_progress', 'cancelling'];
