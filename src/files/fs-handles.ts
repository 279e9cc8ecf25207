import type { FileHandle } from 'node:fs/promises';
import type { FileMark } from './small-objects.ts';

export interface OpenFile {
  handle: FileHandle;
  mark: FileMark;
}

interface Kept {
  opened: Promise<OpenFile>;
  users: number;
  /** When the last user left, on `performance.now()`. */
  idleAt: number;
  /** Not to be found any more: its last user closes it. */
  forgotten: boolean;
}

const keptMax = 64;
const idleMs = 1_000;

/**
 * Files kept open for a moment after a read: objects never change, and whoever reads one piece of an object mostly reads
 * the next. Opening costs several times what the read does.
 */
export class OpenFiles {
  readonly #kept = new Map<string, Kept>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Runs `use` on the file at `path`, which `open` opens when it is not open. */
  async use<T>(path: string, open: () => Promise<OpenFile>, use: (file: OpenFile) => Promise<T>): Promise<T> {
    const kept = this.#kept.get(path) ?? this.#open(path, open);
    kept.users += 1;
    try {
      return await use(await kept.opened);
    } catch (error) {
      this.#forget(path, kept);
      throw error;
    } finally {
      kept.users -= 1;
      kept.idleAt = performance.now();
      if (kept.forgotten) close(kept);
      else this.#tidyLater();
    }
  }

  /** What is at `path` may be gone: it is opened anew when it is asked for again. */
  forget(path: string): void {
    const kept = this.#kept.get(path);
    if (kept !== undefined) this.#forget(path, kept);
  }

  #open(path: string, open: () => Promise<OpenFile>): Kept {
    const kept: Kept = { opened: open(), users: 0, idleAt: 0, forgotten: false };
    this.#kept.set(path, kept);
    if (this.#kept.size > keptMax) this.#tidy(0);
    return kept;
  }

  #forget(path: string, kept: Kept): void {
    if (this.#kept.get(path) === kept) this.#kept.delete(path);
    if (kept.forgotten) return;
    kept.forgotten = true;
    close(kept);
  }

  /** Closes what nobody has used for `ms`. */
  #tidy(ms: number): void {
    const before = performance.now() - ms;
    for (const [path, kept] of this.#kept) {
      if (kept.users === 0 && kept.idleAt > 0 && kept.idleAt <= before) this.#forget(path, kept);
    }
  }

  #tidyLater(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#tidy(idleMs);
      if (this.#kept.size > 0) this.#tidyLater();
    }, idleMs).unref();
  }
}

/** Closes a file that is not to be found any more, once its last user has left. */
function close(kept: Kept): void {
  if (kept.users > 0) return;
  kept.opened
    .then(
      ({ handle }) => handle.close(),
      () => undefined,
    )
    .catch(() => undefined);
}
