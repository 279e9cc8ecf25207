import { expect, it } from 'vitest';
import { ranAt } from '../../src/core/ran-at.ts';

const seen = { submittedAt: 1_000, endedAt: 2_000 };

it('a provider batch ran when its provider says that it ended', () => {
  expect(ranAt(1_500.9, seen)).toBe(1_500);
});

it('without a word of it, it ran when its end was first seen', () => {
  for (const told of [undefined, null, Number.NaN]) expect(ranAt(told, seen)).toBe(2_000);
});

it('it ended neither before it was submitted nor after that was seen, whatever clock the provider has', () => {
  expect(ranAt(900, seen)).toBe(1_000);
  expect(ranAt(2_100, seen)).toBe(2_000);
  expect(ranAt(900, { ...seen, submittedAt: null })).toBe(900);
  expect(ranAt(900, { ...seen, submittedAt: 3_000 })).toBe(2_000);
});
