import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { type ByteRange, FileMissing, type PieceMemory } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { findFile } from './file-row.ts';

export interface FileContent {
  row: FileRow;
  /** Opens the content, or a range of it, as a FileStore's `read`. Throws ApiError 404 when the file was purged meanwhile. */
  open: (range?: ByteRange, memory?: PieceMemory) => Promise<AsyncIterable<Uint8Array>>;
}

/** A file's content, to be opened when it is wanted. Throws ApiError 404. */
export async function fileContent(deps: Deps, context: Context, id: string): Promise<FileContent> {
  const row = await findFile(deps, context, id);
  return {
    row,
    open: async (range, memory) => {
      try {
        return await deps.files.read(row.contentKey, range, memory);
      } catch (error) {
        if (error instanceof FileMissing) throw notFound('file', id);
        throw error;
      }
    },
  };
}
