import type { SegmentLease } from '../../ports/store-segments.ts';

/** Segments that are claimed together. */
export const CLAIMED_AT_ONCE = 4;
/** Of small batches more are claimed together: as many as have about so many lines, and no more than so many. */
const CLAIMED_LINES = 1_000;
const CLAIMED_SMALL = 32;

/** How many segments to claim after these. */
export function limitAfter(leases: readonly SegmentLease[]): number {
  const lines = leases.reduce((sum, lease) => sum + lease.lines, 0);
  // The segments of one batch are for other engines, too.
  if (lines === 0 || byBatch(leases).length < leases.length) return CLAIMED_AT_ONCE;
  const wanted = Math.floor((CLAIMED_LINES * leases.length) / lines);
  return Math.min(CLAIMED_SMALL, Math.max(CLAIMED_AT_ONCE, wanted));
}

/** Segments of one batch share what is open of it: they are opened one after the other. */
export function byBatch(leases: readonly SegmentLease[]): SegmentLease[][] {
  return [...Map.groupBy(leases, ({ batchId }) => batchId).values()];
}
