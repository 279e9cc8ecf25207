import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/runtime/young-generation.ts')).href;
const MEGABYTE = 1024 ** 2;

/** Makes the young generation full of what lives on, many times over, and prints what it takes then. */
const SCRIPT = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  const { growWhileBusy } = await import(${JSON.stringify(MODULE)});
  const fill = async () => {
    for (let round = 0; round < 40; round++) {
      const held = [];
      for (let index = 0; index < 40_000; index++) held.push({ index, text: 'text ' + index });
      await new Promise((wake) => setTimeout(wake, 5));
    }
    console.log(getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size);
  };
  let busy = false;
  const end = growWhileBusy(() => busy);
  await fill();
  end();
  busy = true;
  growWhileBusy(() => busy);
  await fill();
`;

it('lets the young generation grow while there is work, and not without', () => {
  // As a server's: between two looks it may grow more than once.
  const flags = ['--max-semi-space-size=16', '--input-type=module', '--eval', SCRIPT];
  const [idle, busy] = execFileSync(process.execPath, flags, { encoding: 'utf8' }).trim().split('\n').map(Number);
  expect(idle).toBeLessThanOrEqual(4 * MEGABYTE);
  expect(busy).toBeGreaterThan(8 * MEGABYTE);
  expect(busy).toBeLessThanOrEqual(32 * MEGABYTE);
});

it('ends with the flags of a start, under which compiled code is written for the next one', () => {
  const script = `
    const { cachedDataVersionTag } = await import('node:v8');
    const { growWhileBusy } = await import(${JSON.stringify(MODULE)});
    growWhileBusy(() => false)();
    const tag = cachedDataVersionTag();
    const end = growWhileBusy(() => true);
    const whileBusy = cachedDataVersionTag() === tag;
    end();
    console.log(whileBusy, cachedDataVersionTag() === tag);
  `;
  const flags = ['--input-type=module', '--eval', script];
  expect(execFileSync(process.execPath, flags, { encoding: 'utf8' }).trim()).toBe('false true');
});
