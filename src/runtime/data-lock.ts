import { readFile, stat, writeFile } from 'node:fs/promises';
import { isNoSpace } from '../core/no-space.ts';
import { DatabaseTaken, lockDatabase } from '../store/database-lock.ts';
import { filePath } from '../store/open-node.ts';
import { StartError } from './problems.ts';

/**
 * Makes an embedded database this process's own; answers what gives it back. Throws StartError where another process has it,
 * or nothing can be written there. A database that is a server's may be shared.
 */
export async function holdDatabase(url: string): Promise<() => void> {
  if (!url.startsWith('file:')) return () => undefined;
  const path = filePath(url);
  try {
    return await lockDatabase(path);
  } catch (error) {
    const reason = isNoSpace(error) ? 'its disk is full' : ((error as NodeJS.ErrnoException).code ?? String(error));
    const message =
      error instanceof DatabaseTaken
        ? `another process works with ${path}. Stop it, or set WEIR_DATA_DIR to a folder of this one's own; several servers share a libSQL server (WEIR_DATABASE_URL)`
        : `${path} cannot be written (${reason}). Make its folder writable with room to spare, or set WEIR_DATA_DIR to another`;
    throw new StartError([{ path: 'WEIR_DATA_DIR', message }]);
  }
}

/**
 * Whether the embedded database is another file than at its last start: a copy, or one that was moved or restored. The lock
 * tells nothing of a copy: where the original is at work, too, both run the same batches.
 */
export async function isCopied(url: string): Promise<boolean> {
  if (!url.startsWith('file:')) return false;
  const path = filePath(url);
  const file = await stat(path, { bigint: true }).catch(() => null);
  if (file === null) return false;
  const noted = `${path}.origin`;
  const before = await readFile(noted, 'utf8').catch(() => null);
  const own = String(file.ino);
  // Where it cannot be written, as the disk is full, the next start tells.
  if (before !== own) await writeFile(noted, own).catch(() => undefined);
  return before !== null && before !== own;
}
