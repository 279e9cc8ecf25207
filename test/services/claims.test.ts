import { describe, expect, it } from 'vitest';
import type { SegmentLease } from '../../src/ports/store-segments.ts';
import { CLAIMED_AT_ONCE, limitAfter } from '../../src/services/segments/claims.ts';

let batches = 0;
/** The segments of as many batches. */
const leases = (count: number, lines: number) =>
  Array.from({ length: count }, () => ({ lines, batchId: `batch_${batches++}` }) as SegmentLease);

describe('how many segments are claimed together', () => {
  it('is a few of the ordinary size, and more where they are whole small batches, as that is no more work', () => {
    expect(limitAfter(leases(4, 500))).toBe(CLAIMED_AT_ONCE);
    expect(limitAfter(leases(4, 100))).toBe(10);
    expect(limitAfter(leases(1, 10))).toBe(32);
    expect(limitAfter([...leases(3, 10), ...leases(1, 5_000)])).toBe(CLAIMED_AT_ONCE);
    expect(limitAfter([])).toBe(CLAIMED_AT_ONCE);
    const ofOne = leases(4, 10).map((lease) => ({ ...lease, batchId: 'batch_1' }));
    expect(limitAfter(ofOne)).toBe(CLAIMED_AT_ONCE);
  });
});
