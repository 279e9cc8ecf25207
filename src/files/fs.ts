import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import {
  type ByteRange,
  checkObjectKey,
  FileMissing,
  type FileStore,
  FileUnreadable,
  type FileWriter,
  type PieceMemory,
  type StoredObject,
} from '../ports/files.ts';
import { type OpenFile, OpenFiles } from './fs-handles.ts';
import { isErrno, openWriter } from './fs-writer.ts';
import { makeFolder } from './make-folder.ts';
import { Placing, place } from './placing.ts';
import { SMALL_BYTES, SmallObjects } from './small-objects.ts';

const chunkBytes = 256 * 1024;
/** Unfinished objects; no key can name it, because no segment of a key starts with a dot. */
const temporaryDirectory = '.unfinished';
/** What a crash left unfinished is removed at the next start after this, where others may write as well. */
const temporaryLifeMs = 86_400_000;

/** One thread for all of a process's stores. */
const placing = new Placing();

/**
 * Objects as files under `root`, which is made when absent. An object is written beside, synced and renamed, so that
 * it is there whole or not at all, also after a power cut. Links that lead out of `root` are not followed.
 */
export async function openFsFiles(root: string): Promise<FileStore> {
  await makeFolder(join(root, temporaryDirectory));
  const base = await realpath(root);
  const temporary = join(base, temporaryDirectory);
  await removeUnfinished(temporary, Date.now() - temporaryLifeMs);

  const files = new OpenFiles();
  const small = new SmallObjects();
  const forget = (path: string): void => {
    files.forget(path);
    small.forget(path);
  };
  const pathOf = (key: string): string => {
    checkObjectKey(key);
    return join(base, ...key.split('/'));
  };
  return {
    async create(key): Promise<FileWriter> {
      const path = pathOf(key);
      return openWriter(join(temporary, randomUUID()), async (from) => {
        await place({ base, from, to: path });
        forget(path);
      });
    },
    async put(key, bytes) {
      const path = pathOf(key);
      // The original is given away.
      const copy = bytes.length > SMALL_BYTES ? null : new Uint8Array(bytes);
      const mark = await placing.place({ base, from: join(temporary, randomUUID()), to: path, bytes });
      forget(path);
      if (copy !== null) small.keep(path, copy, mark);
    },
    async read(key, range, memory) {
      const path = pathOf(key);
      await (await openInside(base, path, key)).handle.close();
      return stream({ base, path, key }, range, memory);
    },
    async readRange(key, range, into) {
      const path = pathOf(key);
      const kept = small.get(path);
      if (kept !== null) return part(kept, range);
      return files.use(
        path,
        () => openInside(base, path, key),
        async ({ handle, mark }) => {
          const { size } = mark;
          if (size > SMALL_BYTES) {
            return readFully(
              { key, handle },
              range.offset,
              Math.max(0, Math.min(range.length, size - range.offset)),
              into,
            );
          }
          const whole = await readFully({ key, handle }, 0, size);
          small.keep(path, whole, mark);
          return part(whole, range);
        },
      );
    },
    async size(key) {
      try {
        const path = pathOf(key);
        const kept = small.get(path);
        if (kept !== null) return kept.length;
        const { handle, mark } = await openInside(base, path, key);
        try {
          // Who asks mostly reads it next; a disk that cannot read it tells its size all the same.
          const whole =
            mark.size > SMALL_BYTES ? null : await readFully({ key, handle }, 0, mark.size).catch(() => null);
          if (whole !== null) small.keep(path, whole, mark);
        } finally {
          await handle.close();
        }
        return mark.size;
      } catch (error) {
        if (error instanceof FileMissing) return null;
        throw error;
      }
    },
    async delete(key) {
      const directory = await realpath(dirname(pathOf(key))).catch(() => null);
      if (directory === null || !isInside(base, directory)) return;
      await rm(join(directory, basename(key)), { force: true });
      forget(pathOf(key));
      await removeEmptyParents(base, directory);
    },
    list: (prefix, after = '') => walk(base, '', prefix, after),
    removeUnfinished: (before) => removeUnfinished(temporary, before),
  };
}

async function removeUnfinished(directory: string, before: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    // Another process may finish an object meanwhile.
    const found = await stat(path).catch(() => null);
    if (found !== null && found.mtimeMs < before) await rm(path, { force: true });
  }
}

async function openInside(base: string, path: string, key: string): Promise<OpenFile> {
  let handle: FileHandle;
  try {
    const real = await realpath(path);
    if (!isInside(base, real)) throw new FileMissing(key);
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) throw new FileMissing(key);
    throw readFailure(key, error);
  }
  const found = await handle.stat();
  const { ino, size, mtimeMs } = found;
  if (found.isFile()) return { handle, mark: { ino, size, mtimeMs } };
  await handle.close();
  throw new FileMissing(key);
}

function part(whole: Uint8Array, { offset, length }: ByteRange): Uint8Array {
  return whole.subarray(offset, offset + length);
}

function isInside(base: string, path: string): boolean {
  return path === base || path.startsWith(base + sep);
}

async function* stream(
  { base, path, key }: { base: string; path: string; key: string },
  range?: ByteRange,
  memory?: PieceMemory,
): AsyncGenerator<Uint8Array> {
  const { handle, mark } = await openInside(base, path, key);
  try {
    let offset = range?.offset ?? 0;
    const end = range === undefined ? mark.size : Math.min(mark.size, range.offset + range.length);
    while (offset < end) {
      const into = memory?.();
      const bytes = await readFully({ key, handle }, offset, Math.min(into?.length ?? chunkBytes, end - offset), into);
      if (bytes.length === 0) return;
      offset += bytes.length;
      yield bytes;
    }
  } finally {
    await handle.close();
  }
}

async function readFully(
  { key, handle }: { key: string; handle: FileHandle },
  offset: number,
  length: number,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const bytes = into !== undefined && into.length >= length ? into : Buffer.allocUnsafeSlow(length);
  let filled = 0;
  try {
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
  } catch (error) {
    throw readFailure(key, error);
  }
  return bytes.subarray(0, filled);
}

/** What a disk says that cannot read what it has: bad blocks, a damaged file system. */
function readFailure(key: string, error: unknown): unknown {
  const isDamage = ['EIO', 'EUCLEAN', 'EBADMSG'].some((code) => isErrno(error, code));
  return isDamage ? new FileUnreadable(key, error) : error;
}

async function removeEmptyParents(base: string, from: string): Promise<void> {
  for (let directory = from; directory.length > base.length; directory = dirname(directory)) {
    try {
      await rmdir(directory);
    } catch {
      // Not empty, or gone already.
      return;
    }
  }
}

async function* walk(base: string, directory: string, prefix: string, after: string): AsyncGenerator<StoredObject> {
  const entries = await readdir(join(base, directory), { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
  // With its slash a directory sorts where its keys do.
  const names = entries.filter((entry) => entry.isFile() || entry.isDirectory());
  const keys = names.map((entry) => directory + entry.name + (entry.isDirectory() ? '/' : '')).sort();
  for (const key of keys) {
    if (key.endsWith('/')) {
      const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
      const mayFollow = key > after || after.startsWith(key);
      if (mayMatch && mayFollow && key !== `${temporaryDirectory}/`) yield* walk(base, key, prefix, after);
    } else if (key.startsWith(prefix) && key > after) {
      const found = await stat(join(base, key)).catch(() => null);
      if (found !== null) yield { key, bytes: found.size, modifiedAt: Math.floor(found.mtimeMs / 1000) };
    }
  }
}
