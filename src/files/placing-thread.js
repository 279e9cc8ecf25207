/**
 * The thread that puts finished objects in their place: writes, syncs, renames, syncs the directories. Each of these steps
 * waits for the disk, and asked for one by one each also waits for a turn of the caller's event loop. Started by
 * placing.ts, which holds the types of what goes between them. Plain JavaScript, because reading TypeScript costs each
 * thread 16 MB that it needs for nothing else.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, sep } from 'node:path';
import { parentPort } from 'node:worker_threads';

/** Writes the file `from`, durably. */
function writeWhole(from, bytes) {
  const file = openSync(from, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Renames a synced file to its place and syncs the directories that name it. */
function place({ base, from, to }) {
  const directory = dirname(to);
  // A delete that empties the directory may remove it in between.
  for (let tries = 3; ; tries--) {
    try {
      const made = mkdirSync(directory, { recursive: true });
      const real = realpathSync(directory);
      if (real !== base && !real.startsWith(base + sep)) throw new RangeError('a link leads out of the file store');
      renameSync(from, to);
      syncDirectories(directory, made === undefined ? directory : dirname(made));
      return;
    } catch (error) {
      if (tries === 1 || error.code !== 'ENOENT') throw error;
    }
  }
}

function syncDirectories(from, upTo) {
  // Windows opens no directories, and needs no sync of them.
  if (sep === '\\') return;
  for (let path = from; ; path = dirname(path)) {
    const directory = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    if (path.length <= upTo.length) return;
  }
}

function perform(order) {
  if (order.bytes === null) {
    place(order);
    return;
  }
  try {
    writeWhole(order.from, order.bytes);
    place(order);
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
    perform(order);
    parentPort.postMessage({ id, error: null });
  } catch (error) {
    const { code } = error;
    parentPort.postMessage({
      id,
      error: { message: String(error.message), code: typeof code === 'string' ? code : null },
    });
  }
});
