import { readFile, stat, writeFile } from 'node:fs/promises';
import { DatabaseTaken, lockDatabase } from '../store/database-lock.ts';
import { filePath } from '../store/open-node.ts';
import { cannotWrite, databasePlace } from './data-folders.ts';
import { StartError } from './problems.ts';
import type { ServerOptions } from './settings.ts';

/**
 * Makes an embedded database this process's own; answers what gives it back. Throws StartError where another process has it,
 * or nothing can be written there. A database that is a server's may be shared.
 */
export async function holdDatabase(options: ServerOptions): Promise<() => void> {
  const place = databasePlace(options);
  if (place === null) return () => undefined;
  try {
    return await lockDatabase(place.path);
  } catch (error) {
    if (!(error instanceof DatabaseTaken)) throw new StartError([cannotWrite(place, error)]);
    const message = `another process works with ${place.path}. Stop it, or set ${place.setting} to another; several servers share a libSQL server (WEIR_DATABASE_URL)`;
    throw new StartError([{ path: place.setting, message }]);
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
