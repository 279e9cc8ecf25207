import { type FileHandle, open, rm } from 'node:fs/promises';
import type { FileWriter } from '../ports/files.ts';

const bufferBytes = 256 * 1024;

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
  #collected = Buffer.allocUnsafeSlow(bufferBytes);
  #spare = Buffer.allocUnsafeSlow(0);
  #length = 0;
  #writing: Promise<void> = Promise.resolve();
  #state: 'open' | 'closing' | 'ended' = 'open';

  constructor(path: string, handle: FileHandle, finish: (path: string) => Promise<void>) {
    this.#path = path;
    this.#handle = handle;
    this.#finish = finish;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open') throw new Error('the object is closed already');
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(chunk.length - at, bufferBytes - this.#length);
      this.#collected.set(chunk.subarray(at, at + take), this.#length);
      this.#length += take;
      at += take;
      if (this.#length === bufferBytes) await this.#flush();
    }
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') throw new Error('the object is closed already');
    this.#state = 'closing';
    await this.#flush();
    await this.#writing;
    await this.#handle.datasync();
    await this.#handle.close();
    await this.#finish(this.#path);
    this.#state = 'ended';
  }

  async abort(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    await this.#writing.catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }

  /** Waits for the piece before, and starts writing what is collected. */
  async #flush(): Promise<void> {
    await this.#writing;
    const full = this.#collected;
    const length = this.#length;
    if (length === 0) return;
    if (this.#spare.length === 0) this.#spare = Buffer.allocUnsafeSlow(bufferBytes);
    this.#collected = this.#spare;
    this.#spare = full;
    this.#length = 0;
    this.#writing = writeFully(this.#handle, full, length);
    // Its failure is met by the next wait; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
  }
}

async function writeFully(handle: FileHandle, bytes: Buffer, length: number): Promise<void> {
  for (let at = 0; at < length; ) {
    const { bytesWritten } = await handle.write(bytes, at, length - at);
    at += bytesWritten;
  }
}
