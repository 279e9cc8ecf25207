import type { Statement } from './client.ts';

/** The time of a batch's last step so far: whatever a server's clock says, the next step is not before it. */
export const LATEST_STEP = `max(created_at, ${['in_progress_at', 'cancelling_at', 'finalizing_at'].map((column) => `coalesce(${column}, 0)`).join(', ')})`;

/** Tells running batches to stop that still have work ahead; `?1` is the time. */
export function stopBatches(now: number, where: string, args: Statement['args']): Statement {
  return {
    sql: `update batches set stop = 'budget', cancelling_at = max(?1, ${LATEST_STEP}), next_at = ?1
          where seq in (
            select seq from batches where status = 'in_progress' and stop is null and open_segments > 0 and ${where})
          returning id`,
    args: [now, ...args],
  };
}
