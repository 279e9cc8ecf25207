import { ApiError } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { FileObject } from '../../protocol/file.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { toFileObject } from './file-row.ts';

export interface FileListInput {
  limit: number;
  order: 'asc' | 'desc';
  after?: string | undefined;
  purpose?: string | undefined;
}

/** A page of the actor's own files. Throws ApiError 400 when `after` is unknown. */
export async function listFiles(deps: Deps, context: Context, input: FileListInput): Promise<Page<FileObject>> {
  const { tenantId } = context.actor;
  const rows = await deps.store.files.list(tenantId, { ...input, limit: input.limit + 1 });
  if (rows === null) {
    const message = `No file has the id given as 'after'. Use the last_id of the page before.`;
    throw new ApiError(400, message, { code: 'invalid_value', param: 'after' });
  }
  return toPage(rows.map(toFileObject), input.limit);
}
