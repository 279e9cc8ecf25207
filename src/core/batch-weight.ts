/** How much of its tenant's share a batch gets beside the tenant's other batches. */

/** Two steps of priority double the share: 10 gets 32 times that of 0, and nobody starves. */
const DOUBLING_STEPS = 2;
const URGENCY_MAX = 8;
/** A batch that has only begun is not late. */
const BEGINNING = 0.05;

/** The weight of a priority from -10 to 10. */
export function priorityWeight(priority: number): number {
  return 2 ** (priority / DOUBLING_STEPS);
}

/**
 * How far a batch is behind what would keep its window: 1 when it will be done in time at its pace so far, up to 8 when
 * it will not. Times are Unix seconds.
 */
export function urgency(
  batch: { createdAt: number; expiresAt: number; total: number; sent: number },
  nowSeconds: number,
): number {
  const gone = (nowSeconds - batch.createdAt) / Math.max(1, batch.expiresAt - batch.createdAt);
  const done = Math.max(1, batch.sent) / Math.max(1, batch.total);
  return Math.min(URGENCY_MAX, Math.max(1, (gone - BEGINNING) / done));
}
