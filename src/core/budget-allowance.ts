/** How much of a batch's budget one process may have under way. */

/** Nano-USD. */
export interface UnderWay {
  /** What the store says that the budgets leave, with all that is committed taken off; null when nothing bounds it. */
  left: number | null;
  /** What this process spent that is not committed yet. */
  uncommitted: number;
  /** What the lines may come to that it sent and that have no result yet. */
  outstanding: number;
}

/**
 * Other processes on the same budget know nothing of what is under way here until it is committed, and what this one knows
 * is as old as its last commit. So each keeps what it has under way to this part of what is left: near the limit there is
 * less and less, and at last one line at a time.
 */
const SHARE = 0.25;

/** Whether a line that may come to `bound` nano-USD may be sent. */
export function maySpend({ left, uncommitted, outstanding }: UnderWay, bound: number): boolean {
  if (left === null) return true;
  const rest = left - uncommitted;
  if (rest <= 0) return false;
  return outstanding === 0 || uncommitted + outstanding + bound <= left * SHARE;
}
