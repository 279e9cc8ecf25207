import {
  type ByteRange,
  checkObjectKey,
  FileMissing,
  type FileStore,
  type FileWriter,
  type StoredObject,
} from '../ports/files.ts';

const chunkBytes = 64 * 1024;

/** Keeps objects in memory: for tests and trials. `now` gives Unix milliseconds. */
export function openMemoryFiles(now: () => number): FileStore {
  const objects = new Map<string, { bytes: Uint8Array; modifiedAt: number }>();
  const find = (key: string): Uint8Array => {
    checkObjectKey(key);
    const object = objects.get(key);
    if (object === undefined) throw new FileMissing(key);
    return object.bytes;
  };
  return {
    async create(key) {
      checkObjectKey(key);
      return memoryWriter((bytes) => objects.set(key, { bytes, modifiedAt: Math.floor(now() / 1000) }));
    },
    async put(key, bytes) {
      checkObjectKey(key);
      objects.set(key, { bytes, modifiedAt: Math.floor(now() / 1000) });
    },
    async read(key, range) {
      const bytes = find(key);
      return chunksOf(range === undefined ? bytes : cut(bytes, range));
    },
    async readRange(key, range) {
      return new Uint8Array(cut(find(key), range));
    },
    async size(key) {
      checkObjectKey(key);
      return objects.get(key)?.bytes.length ?? null;
    },
    async delete(key) {
      checkObjectKey(key);
      objects.delete(key);
    },
    async *list(prefix, after = ''): AsyncGenerator<StoredObject> {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
      for (const key of keys) {
        const object = objects.get(key);
        if (object !== undefined) yield { key, bytes: object.bytes.length, modifiedAt: object.modifiedAt };
      }
    },
  };
}

function memoryWriter(keep: (bytes: Uint8Array) => void): FileWriter {
  let chunks: Uint8Array[] = [];
  let ended = false;
  return {
    async write(chunk) {
      if (ended) throw new Error('the object is closed already');
      // Not slice(): a Buffer's is a view of the caller's memory.
      chunks.push(new Uint8Array(chunk));
    },
    async close() {
      if (ended) throw new Error('the object is closed already');
      ended = true;
      keep(Buffer.concat(chunks));
      chunks = [];
    },
    async abort() {
      ended = true;
      chunks = [];
    },
  };
}

function cut(bytes: Uint8Array, range: ByteRange): Uint8Array {
  return bytes.subarray(range.offset, range.offset + range.length);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield new Uint8Array(bytes.subarray(at, at + chunkBytes));
}
