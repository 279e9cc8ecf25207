import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNoSpace } from '../core/no-space.ts';
import type { Problem } from '../core/problems.ts';
import { makeFolder } from '../files/make-folder.ts';
import { filePath } from '../store/open-node.ts';
import { StartError } from './problems.ts';
import type { ServerOptions } from './settings.ts';

/** What a server writes to, and the setting that says where it is. */
interface Place {
  setting: string;
  path: string;
}

/** The file of an embedded database; null: it is a server's. */
export function databasePlace({ databaseUrl, dataDir }: ServerOptions): Place | null {
  if (!databaseUrl.startsWith('file:')) return null;
  return { setting: settingOf(databaseUrl, dataDir, 'WEIR_DATABASE_URL'), path: filePath(databaseUrl) };
}

/** The folder of files: `file:./data/files` as well as `file:///var/lib/weir`. */
export function filesPlace({ filesUrl, dataDir }: ServerOptions): Place {
  const path = filesUrl.startsWith('file://') ? fileURLToPath(filesUrl) : filesUrl.slice('file:'.length);
  return { setting: settingOf(filesUrl, dataDir, 'WEIR_FILES_URL'), path };
}

/** The folder of journals of calls. */
export function journalPlace({ dataDir }: ServerOptions): Place {
  return { setting: 'WEIR_DATA_DIR', path: join(dataDir, 'journal') };
}

/** Makes the folders that a server writes to. Throws StartError with each that cannot be written. */
export async function makeDataFolders(options: ServerOptions): Promise<void> {
  const database = databasePlace(options);
  const found = await Promise.all([
    ...(database === null ? [] : [tryFolder(database, dirname(database.path))]),
    ...[filesPlace(options), journalPlace(options)].map((place) => tryFolder(place, place.path)),
  ]);
  const problems = found.filter((problem) => problem !== null);
  if (problems.length > 0) throw new StartError(problems);
}

/** What is said of a place that the system does not let a server write to. */
export function cannotWrite({ setting, path }: Place, error: unknown): Problem {
  const reason = isNoSpace(error) ? 'its disk is full' : ((error as NodeJS.ErrnoException).code ?? String(error));
  const remedy = `Make its folder writable with room to spare, or set ${setting} to another`;
  return { path: setting, message: `${path} cannot be written (${reason}). ${remedy}` };
}

async function tryFolder(place: Place, folder: string): Promise<Problem | null> {
  try {
    await makeFolder(folder);
    // Of what is no folder, too.
    await access(`${folder}/.`, constants.W_OK);
    return null;
  } catch (error) {
    return cannotWrite(place, error);
  }
}

/** Places are in the data folder where nothing else is said. */
function settingOf(url: string, dataDir: string, own: string): string {
  return url.startsWith(`file:${dataDir}/`) ? 'WEIR_DATA_DIR' : own;
}
