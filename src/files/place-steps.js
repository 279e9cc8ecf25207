/**
 * How a synced file comes to its place, step by step, for whoever carries the steps out: the thread of placing.ts, where
 * each waits for the disk, or its caller. Plain JavaScript, because that thread reads no TypeScript.
 */
import { constants } from 'node:fs';
import { dirname, sep } from 'node:path';

/** Renames a synced file to its place and syncs the directories that name it. */
export function* placeSteps({ base, from, to }) {
  const directory = dirname(to);
  // A delete that empties the directory may remove it in between.
  for (let tries = 3; ; tries--) {
    try {
      const made = yield ['mkdir', directory, { recursive: true }];
      const real = yield ['realpath', directory];
      if (real !== base && !real.startsWith(base + sep)) throw new RangeError('a link leads out of the file store');
      yield ['rename', from, to];
      yield* syncDirectories(directory, made === undefined ? directory : dirname(made));
      return;
    } catch (error) {
      if (tries === 1 || error.code !== 'ENOENT') throw error;
    }
  }
}

function* syncDirectories(from, upTo) {
  // Windows opens no directories, and needs no sync of them.
  if (sep === '\\') return;
  for (let path = from; ; path = dirname(path)) {
    const directory = yield ['open', path, constants.O_RDONLY];
    try {
      yield ['fsync', directory];
    } finally {
      yield ['close', directory];
    }
    if (path.length <= upTo.length) return;
  }
}
