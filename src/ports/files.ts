/**
 * Bytes by key. Keys are made by us alone (never from client text): segments of [A-Za-z0-9_.-] joined by '/'.
 * An object is immutable and appears whole or not at all: a writer that never closes leaves nothing visible.
 */
export interface FileStore {
  /** Starts an object. The object becomes visible, and durable, when `close` resolves. */
  create(key: string): Promise<FileWriter>;
  /** Writes a small object at once, visible and durable when it resolves. `bytes` fill a buffer of their own, and are given away. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Streams an object or `range` of it. Throws FileMissing. A range beyond the end yields what there is. A store that
   * would copy the bytes may put each piece into what `memory` gives for it.
   */
  read(key: string, range?: ByteRange, memory?: PieceMemory): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Reads a range into memory; shorter at the end of the object. Throws FileMissing. A store that would copy the bytes
   * may put them into `into` instead, when they have room there.
   */
  readRange(key: string, range: ByteRange, into?: Uint8Array): Promise<Uint8Array>;
  /** Size in bytes; null when there is no such object. */
  size(key: string): Promise<number | null>;
  /** Removes an object; removing what is not there is no error. */
  delete(key: string): Promise<void>;
  /** Every object whose key starts with `prefix` and comes after `after`, in ascending order of keys. */
  list(prefix: string, after?: string): AsyncIterable<StoredObject>;
  /**
   * Removes what writers left that never closed, if it was written before `before`, in Unix milliseconds. Absent where
   * nothing is left of such.
   */
  removeUnfinished?(before: number): Promise<void>;
}

/** Gives memory for the next piece of a stream, of the length that pieces may have: mostly that of an earlier piece. */
export type PieceMemory = () => Uint8Array;

export interface StoredObject {
  key: string;
  bytes: number;
  /** Unix seconds. */
  modifiedAt: number;
}

export interface ByteRange {
  offset: number;
  length: number;
}

export interface FileWriter {
  /** Resolves when the writer can take more: await it, so that memory stays bounded. */
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Gives up and removes what was written. Safe after a failed write or close. */
  abort(): Promise<void>;
}

const keyPattern = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;

/** Throws on a key that is not of the form above: no key may ever leave the store's root. Segments start with no dot. */
export function checkObjectKey(key: string): void {
  if (key.length > 512 || !keyPattern.test(key))
    throw new RangeError(`not an object key: ${JSON.stringify(key.slice(0, 64))}`);
}

export class FileMissing extends Error {
  constructor(key: string) {
    super(`no object at ${key}`);
    this.name = 'FileMissing';
  }
}

/** The store has the object and cannot give its bytes: its disk reports an error. */
export class FileUnreadable extends Error {
  constructor(key: string, cause: unknown) {
    super(`object ${key} cannot be read: ${String(cause)}`, { cause });
    this.name = 'FileUnreadable';
  }
}
