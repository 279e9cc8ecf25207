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

/** A thread with much garbage, which is given `work` to do every now and then; resolves when it has started. */
async function start(work: string): Promise<{ worker: Worker; heapBytes: () => Promise<number> }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { getHeapStatistics } = require('node:v8');
     let made = Array.from({ length: 300_000 }, (_, index) => ({ text: 'number ' + index }));
     made = null;
     setInterval(() => { ${work} }, 50);
     import(${JSON.stringify(MODULE)}).then(({ giveBackAtRest }) => {
       giveBackAtRest();
       parentPort.on('message', () => parentPort.postMessage(getHeapStatistics().total_heap_size));
       parentPort.postMessage('started');
     });`,
    { eval: true },
  );
  await once(worker, 'message');
  const heapBytes = async (): Promise<number> => {
    const answer = once(worker, 'message');
    worker.postMessage('how much');
    return ((await answer) as [number])[0];
  };
  return { worker, heapBytes };
}

it('gives back what a thread at rest does not need, and nothing while it works', async () => {
  const working = await start('for (let at = 0; at < 5e6; at++);');
  const others: Worker[] = [];
  try {
    expect(await working.heapBytes()).toBeGreaterThan(GARBAGE_BYTES);
    // One after the other, so that it has looked more often than any of them.
    for (let count = 0; count < 3; count++) {
      const resting = await start('');
      others.push(resting.worker);
      while ((await resting.heapBytes()) > GARBAGE_BYTES / 2) await new Promise((wake) => setTimeout(wake, 20));
    }
    expect(await working.heapBytes()).toBeGreaterThan(GARBAGE_BYTES);
  } finally {
    await Promise.all([working.worker, ...others].map((worker) => worker.terminate()));
  }
});
