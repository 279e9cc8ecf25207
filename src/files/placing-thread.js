/**
 * The thread that puts small objects in their place: writes, syncs, renames, syncs the directories. Each of these steps
 * waits for the disk, and asked for one by one each also waits for a turn of the caller's event loop. Started by
 * placing.ts, which holds the types of what goes between them. Plain JavaScript, because reading TypeScript costs each
 * thread 16 MB that it needs for nothing else.
 */
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { placeSteps } from './place-steps.js';

/** Writes the file `from`, durably; answers its mark. */
function writeWhole(from, bytes) {
  const file = openSync(from, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
    fdatasyncSync(file);
    const { ino, size, mtimeMs } = fstatSync(file);
    return { ino, size, mtimeMs };
  } finally {
    closeSync(file);
  }
}

const STEPS = {
  mkdir: mkdirSync,
  realpath: realpathSync.native,
  rename: renameSync,
  open: openSync,
  fsync: fsyncSync,
  close: closeSync,
};

function place(order) {
  const steps = placeSteps(order);
  for (let step = steps.next(); !step.done; ) {
    const [name, ...args] = step.value;
    let result;
    try {
      result = STEPS[name](...args);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(result);
  }
}

function perform(order) {
  try {
    const mark = writeWhole(order.from, order.bytes);
    place(order);
    return mark;
  } catch (error) {
    rmSync(order.from, { force: true });
    throw error;
  } finally {
    // Given back now: what little this thread makes brings on no collection of garbage.
    order.bytes.buffer.transfer(0);
  }
}

parentPort.on('message', ({ id, ...order }) => {
  try {
    parentPort.postMessage({ id, error: null, result: perform(order) });
  } catch (error) {
    const { code } = error;
    parentPort.postMessage({
      id,
      error: { message: String(error.message), code: typeof code === 'string' ? code : null },
      result: null,
    });
  }
});
