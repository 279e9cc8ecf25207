import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { giveBackMemory } from '../../src/runtime/give-back-memory.ts';

it('collects all garbage, old or young, and leaves no function for it behind', async () => {
  let held: object[] | null = Array.from({ length: 100_000 }, (_, index) => ({ text: `number ${index}` }));
  const kept = { text: 'kept' };
  const seen = [new WeakRef(held), new WeakRef(held[99_999] as object)];
  const keptSeen = new WeakRef(kept);
  held = null;
  // What was looked at through a WeakRef, or made with one, stays until the end of the turn.
  await setImmediate();
  giveBackMemory();
  expect(seen.map((reference) => reference.deref())).toEqual([undefined, undefined]);
  expect(keptSeen.deref()).toBe(kept);
  expect('gc' in globalThis).toBe(false);
});
