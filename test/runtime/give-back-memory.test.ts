import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { giveBackMemory } from '../../src/runtime/give-back-memory.ts';
import { temporaryFolder } from '../e2e/weir.ts';

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

it('has what was compiled written early where a start before wrote it whole, and not before', async () => {
  const folder = await temporaryFolder();
  const module = pathToFileURL(join(import.meta.dirname, '../../src/runtime/give-back-memory.ts')).href;
  const script = join(folder, 'start.mjs');
  /** Files in the cache after memory was given back, in a process that also reads `others`. */
  const start = (...others: string[]): number => {
    const imports = [module, ...others].map((name) => `await import(${JSON.stringify(name)});`);
    const text = `import * as m from 'node:module'; import { readdirSync } from 'node:fs';
      m.enableCompileCache(${JSON.stringify(join(folder, 'cache'))}); ${imports.join(' ')}
      (await import(${JSON.stringify(module)})).giveBackMemory();
      console.log(readdirSync(m.getCompileCacheDir()).length);`;
    writeFileSync(script, text);
    return Number(execFileSync(process.execPath, [script], { encoding: 'utf8' }));
  };
  const other = join(folder, 'other.mjs');
  writeFileSync(other, 'export const one = 1;');
  try {
    expect(start()).toBe(0);
    const written = readdirSync(join(folder, 'cache'), { recursive: true }).length - 1;
    expect(written).toBeGreaterThan(0);
    expect(start(pathToFileURL(other).href)).toBe(written + 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
