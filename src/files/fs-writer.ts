import { type FileHandle, open, rm } from 'node:fs/promises';
import type { FileWriter } from '../ports/files.ts';

const bufferBytes = 256 * 1024;
/** Pieces of this size are written as they are: their copies would cost more than the wait. */
const directBytes = 512 * 1024;
/** Most objects are small, and come in numbers. */
const firstBufferBytes = 16 * 1024;
/** Synced as it grows, a large object is durable soon after its last piece: its pages are on their way to the disk already. */
const syncBytes = 32 * 1024 * 1024;

/**
 * Writes a file at `path` in large pieces, one behind: while a piece is being written the next is collected. `close`
 * syncs the file and hands it to `finish`.
 */
export async function openWriter(path: string, finish: (path: string) => Promise<void>): Promise<FileWriter> {
  return new FsWriter(path, await open(path, 'wx', 0o600), finish);
}

/** Whether `error` is a system error with this code. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

class FsWriter implements FileWriter {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #finish: (path: string) => Promise<void>;
  #collected = Buffer.allocUnsafeSlow(firstBufferBytes);
  #spare: Buffer<ArrayBuffer> | null = null;
  #length = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Written since the last sync began. */
  #unsynced = 0;
  /** One at a time, and never rejected: a failed sync is not to be told by the next one. */
  #syncing: Promise<void> | null = null;
  #syncFailure: Error | null = null;
  #state: 'open' | 'closing' | 'ended' = 'open';

  constructor(path: string, handle: FileHandle, finish: (path: string) => Promise<void>) {
    this.#path = path;
    this.#handle = handle;
    this.#finish = finish;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open') throw new Error('the object is closed already');
    if (this.#syncFailure !== null) throw this.#syncFailure;
    if (chunk.length >= directBytes) return this.#writeDirectly(chunk);
    for (let at = 0; at < chunk.length; ) {
      if (this.#length === this.#collected.length) await this.#makeRoom(chunk.length - at);
      const take = Math.min(chunk.length - at, this.#collected.length - this.#length);
      this.#collected.set(chunk.subarray(at, at + take), this.#length);
      this.#length += take;
      at += take;
    }
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') throw new Error('the object is closed already');
    this.#state = 'closing';
    await this.#writing;
    await writeFully(this.#handle, this.#collected, this.#length);
    await this.#syncing;
    if (this.#syncFailure !== null) throw this.#syncFailure;
    await this.#handle.datasync();
    await this.#handle.close();
    await this.#finish(this.#path);
    this.#state = 'ended';
  }

  async abort(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    await this.#writing.catch(() => undefined);
    await this.#syncing;
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }

  async #writeDirectly(chunk: Uint8Array): Promise<void> {
    await this.#writing;
    await writeFully(this.#handle, this.#collected, this.#length);
    this.#length = 0;
    this.#writing = writeFully(this.#handle, chunk, chunk.length);
    await this.#writing;
    this.#syncAfter(chunk.length);
  }

  /** Room for more when what is collected fills its buffer: a larger buffer, or an empty one while the full one is written. */
  async #makeRoom(bytes: number): Promise<void> {
    const full = this.#collected;
    if (full.length < bufferBytes) {
      this.#collected = Buffer.allocUnsafeSlow(Math.min(bufferBytes, Math.max(full.length * 4, full.length + bytes)));
      full.copy(this.#collected);
      return;
    }
    await this.#writing;
    this.#syncAfter(full.length);
    this.#collected = this.#spare ?? Buffer.allocUnsafeSlow(bufferBytes);
    this.#spare = full;
    this.#length = 0;
    this.#writing = writeFully(this.#handle, full, full.length);
    // Its failure is met by the next wait; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
  }

  #syncAfter(bytes: number): void {
    this.#unsynced += bytes;
    if (this.#unsynced < syncBytes || this.#syncing !== null) return;
    this.#unsynced = 0;
    this.#syncing = this.#handle.datasync().then(
      () => {
        this.#syncing = null;
      },
      (error: Error) => {
        this.#syncFailure = error;
      },
    );
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, length: number): Promise<void> {
  for (let at = 0; at < length; ) {
    const { bytesWritten } = await handle.write(bytes, at, length - at);
    at += bytesWritten;
  }
}
