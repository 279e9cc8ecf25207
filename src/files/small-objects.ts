import { statSync } from 'node:fs';

/** What tells a file from another one, and from itself with other bytes: nobody changes an object, but disks and people may. */
export interface FileMark {
  ino: number;
  size: number;
  mtimeMs: number;
}

interface Kept extends FileMark {
  bytes: Uint8Array;
  /** On `performance.now()`. */
  since: number;
}

/** Objects up to this size are kept. */
export const SMALL_BYTES = 64 * 1024;
const keptBytesMax = 4 * 1024 * 1024;
/** However often they are asked for: what a disk cannot read any more is found soon. */
const keptMs = 2_000;

/**
 * Small objects in memory, for a moment after they were written or read: a small batch's files are read several times
 * within a second. Whether a file is still the same the kernel tells at once, as it knows it from a moment ago; to ask by way
 * of another thread would cost twenty times that.
 */
export class SmallObjects {
  /** By path, oldest first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** The whole object at `path`, not to be changed; null when it is not here, or not what is there any more. */
  get(path: string): Uint8Array | null {
    const kept = this.#kept.get(path);
    if (kept === undefined) return null;
    if (performance.now() - kept.since < keptMs && isStill(path, kept)) return kept.bytes;
    this.forget(path);
    return null;
  }

  /** Takes the bytes of the file at `path`, which nobody may change any more. */
  keep(path: string, bytes: Uint8Array, { ino, size, mtimeMs }: FileMark): void {
    this.forget(path);
    if (bytes.length !== size || size > SMALL_BYTES) return;
    this.#kept.set(path, { bytes, ino, size, mtimeMs, since: performance.now() });
    this.#bytes += size;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= keptBytesMax) break;
      this.forget(oldest);
    }
    this.#tidyLater();
  }

  forget(path: string): void {
    const kept = this.#kept.get(path);
    if (kept === undefined) return;
    this.#kept.delete(path);
    this.#bytes -= kept.size;
  }

  #tidyLater(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const before = performance.now() - keptMs;
      for (const [path, { since }] of this.#kept) {
        if (since > before) break;
        this.forget(path);
      }
      if (this.#kept.size > 0) this.#tidyLater();
    }, keptMs).unref();
  }
}

function isStill(path: string, { ino, size, mtimeMs }: FileMark): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.ino === ino && found.size === size && found.mtimeMs === mtimeMs;
  } catch {
    return false;
  }
}
