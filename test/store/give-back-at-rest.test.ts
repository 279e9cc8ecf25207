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

/** A thread with much garbage, which has as many orders between two looks as `orders` says; resolves when it has started. */
async function start(orders: string): Promise<{ worker: Worker; heapBytes: () => Promise<number> }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { getHeapStatistics } = require('node:v8');
     let made = Array.from({ length: 300_000 }, (_, index) => ({ text: 'number ' + index }));
     made = null;
     let seen = 0;
     import(${JSON.stringify(MODULE)}).then(({ giveBackAtRest }) => {
       giveBackAtRest(() => ${orders});
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
  const [resting, working] = await Promise.all([start('seen'), start('(seen += 100)')]);
  try {
    const before = await working.heapBytes();
    expect(before).toBeGreaterThan(GARBAGE_BYTES);
    while ((await resting.heapBytes()) > GARBAGE_BYTES / 2) await new Promise((wake) => setTimeout(wake, 20));
    // It began its looks no later than the other.
    expect(await working.heapBytes()).toBeGreaterThan(GARBAGE_BYTES);
  } finally {
    await Promise.all([resting.worker.terminate(), working.worker.terminate()]);
  }
});
