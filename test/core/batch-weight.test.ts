import { expect, it } from 'vitest';
import { priorityWeight, urgency } from '../../src/core/batch-weight.ts';

it('doubles the share with two steps of priority, and never takes it all', () => {
  expect(priorityWeight(0)).toBe(1);
  expect(priorityWeight(2)).toBe(2);
  expect(priorityWeight(10)).toBe(32);
  expect(priorityWeight(-10)).toBe(1 / 32);
});

it('gives a batch more only when it will not be done within its window at its pace', () => {
  const batch = { createdAt: 1_000, expiresAt: 2_000, total: 1_000 };
  expect(urgency({ ...batch, sent: 0 }, 1_010)).toBe(1);
  expect(urgency({ ...batch, sent: 500 }, 1_500)).toBe(1);
  expect(urgency({ ...batch, sent: 200 }, 1_500)).toBeCloseTo(2.25);
  expect(urgency({ ...batch, sent: 0 }, 1_900)).toBe(8);
  expect(urgency({ ...batch, total: 0, sent: 0 }, 5_000)).toBeGreaterThanOrEqual(1);
});
