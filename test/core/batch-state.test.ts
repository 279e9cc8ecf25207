import { expect, it } from 'vitest';
import { canTransition, isTerminal, LIVE_STATUSES, statusesBefore } from '../../src/core/batch-state.ts';
import { canMoveSegment, SEGMENT_STATES } from '../../src/core/segment-state.ts';
import { BATCH_STATUSES } from '../../src/protocol/batch.ts';

it('every batch status is reached from validating, and every live one can reach an end', () => {
  const reachable = (from: string[]): Set<string> => {
    const seen = new Set(from);
    for (const status of seen) {
      for (const next of BATCH_STATUSES.filter((to) => canTransition(status as 'validating', to))) seen.add(next);
    }
    return seen;
  };
  expect(reachable(['validating']).size).toBe(BATCH_STATUSES.length);
  for (const status of LIVE_STATUSES) {
    expect([...reachable([status])].some((next) => isTerminal(next as 'failed'))).toBe(true);
  }
});

it('a batch that has ended never changes its status again', () => {
  const ended = BATCH_STATUSES.filter(isTerminal);
  expect(ended).toEqual(['failed', 'completed', 'expired', 'cancelled']);
  for (const from of ended) expect(BATCH_STATUSES.some((to) => canTransition(from, to))).toBe(false);
});

it('a batch is cancelled only while validating or in progress, and validated only once', () => {
  expect(statusesBefore('cancelling')).toEqual(['validating', 'in_progress']);
  expect(statusesBefore('in_progress')).toEqual(['validating']);
  expect(statusesBefore('validating')).toEqual([]);
});

it('a segment is done only from a lease, and a done segment stays done', () => {
  expect(SEGMENT_STATES.filter((from) => canMoveSegment(from, 'done'))).toEqual(['leased']);
  expect(SEGMENT_STATES.some((to) => canMoveSegment('done', to))).toBe(false);
  expect(canMoveSegment('leased', 'pending')).toBe(true);
});
