import { expect, it } from 'vitest';
import { Lateness } from '../../src/runtime/lateness.ts';

it('a process that was busy is late, and in time again when it is not', async () => {
  const lateness = new Lateness();
  expect(lateness.ms(0)).toBe(0);
  const busyUntil = performance.now() + 150;
  while (performance.now() < busyUntil);
  expect(lateness.ms(0)).toBeGreaterThan(100);
  // What arrived meanwhile is found in the turn after: it was late, too.
  await new Promise((resolve) => setImmediate(resolve));
  expect(lateness.ms(0)).toBeGreaterThan(100);
  await expect.poll(() => lateness.ms(0), { interval: 15, timeout: 20_000 }).toBeLessThan(5);
});

it('what lasted through a standstill counts without it, however long after it is found', async () => {
  const lateness = new Lateness();
  const began = performance.now();
  expect(lateness.ms(0)).toBe(0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  // Some turns later.
  await expect.poll(() => lateness.ms(0), { interval: 15, timeout: 20_000 }).toBeLessThan(5);
  const lasted = performance.now() - began;
  expect(lateness.ms(lasted)).toBeGreaterThan(650);
  expect(lateness.ms(lasted)).toBeLessThanOrEqual(lasted);
  // What began in the middle of it stood for the rest.
  expect(lateness.ms(lasted - 400)).toBeLessThan(lateness.ms(lasted) - 300);
});
