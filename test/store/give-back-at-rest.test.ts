import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/store/embedded/give-back-at-rest.js')).href;
const GARBAGE_BYTES = 20 * 1024 ** 2;
// V8 itself collects nothing of a thread that does nothing.
setFlagsFromString('--no-memory-reducer');

/** A thread that does `work` every now and then; resolves when it has started, with much garbage. `fill` leaves as much in it again. */
async function start(
  work: string,
): Promise<{ worker: Worker; fill: () => Promise<number>; heapBytes: () => Promise<number> }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { getHeapStatistics } = require('node:v8');
     let made;
     const fill = () => {
       made = Array.from({ length: 300_000 }, (_, index) => ({ text: 'number ' + index }));
       made = null;
     };
     fill();
     setInterval(() => { ${work} }, 50);
     import(${JSON.stringify(MODULE)}).then(({ giveBackAtRest }) => {
       giveBackAtRest();
       parentPort.on('message', (what) => {
         if (what === 'fill') fill();
         parentPort.postMessage(getHeapStatistics().total_heap_size);
       });
       parentPort.postMessage('started');
     });`,
    { eval: true },
  );
  await once(worker, 'message');
  const ask = async (what: string): Promise<number> => {
    const answer = once(worker, 'message');
    worker.postMessage(what);
    return ((await answer) as [number])[0];
  };
  return { worker, fill: () => ask('fill'), heapBytes: () => ask('how much') };
}

it('gives back what a thread does not need after its start and at rest, and nothing while it works', async () => {
  const givesBack = async ({ heapBytes }: Awaited<ReturnType<typeof start>>): Promise<void> => {
    while ((await heapBytes()) > GARBAGE_BYTES / 2) await new Promise((wake) => setTimeout(wake, 20));
  };
  // One after the other: two that collect at once would be in each other's way.
  const working = await start('for (let at = 0; at < 5e6; at++);');
  await givesBack(working);
  const resting = await start('');
  try {
    expect(await working.fill()).toBeGreaterThan(GARBAGE_BYTES);
    await givesBack(resting);
    // Each time it has looked once more, and so has the other.
    for (let count = 0; count < 3; count++) {
      expect(await resting.fill()).toBeGreaterThan(GARBAGE_BYTES);
      await givesBack(resting);
    }
    expect(await working.heapBytes()).toBeGreaterThan(GARBAGE_BYTES);
  } finally {
    await Promise.all([working.worker.terminate(), resting.worker.terminate()]);
  }
});
