import type { Context, Deps } from '../../ports/deps.ts';
import type { FileObject } from '../../protocol/file.ts';
import { findFile, toFileObject } from './file-row.ts';

/** A file's object. Throws ApiError 404. */
export async function retrieveFile(deps: Deps, context: Context, id: string): Promise<FileObject> {
  return toFileObject(await findFile(deps, context, id));
}
