import { expect, it } from 'vitest';
import { Lateness } from '../../src/runtime/lateness.ts';

it('a process that was busy is late, and in time again when it is not', async () => {
  const lateness = new Lateness();
  expect(lateness.ms()).toBe(0);
  const busyUntil = performance.now() + 150;
  while (performance.now() < busyUntil);
  expect(lateness.ms()).toBeGreaterThan(100);
  // What arrived meanwhile is found in the turn after: it was late, too.
  await new Promise((resolve) => setImmediate(resolve));
  expect(lateness.ms()).toBeGreaterThan(100);
  await expect.poll(() => lateness.ms(), { interval: 15, timeout: 20_000 }).toBeLessThan(5);
});
