import { ApiError, notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { type ByteRange, FileMissing, type PieceMemory } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { findFile } from './file-row.ts';

export interface FileContent {
  row: FileRow;
  /**
   * Opens the content, or a range of it, as a FileStore's `read`. Throws ApiError 404 when the file was deleted meanwhile,
   * 410 when its bytes are gone from the store without that, and 500 when they are not as many as there were.
   */
  open: (range?: ByteRange, memory?: PieceMemory) => Promise<AsyncIterable<Uint8Array>>;
}

/** A file's content, to be opened when it is wanted. Throws ApiError 404. */
export async function fileContent(deps: Deps, context: Context, id: string): Promise<FileContent> {
  const row = await findFile(deps, context, id);
  return {
    row,
    open: async (range, memory) => {
      const bytes = await deps.files.size(row.contentKey);
      if (bytes === null) {
        await findFile(deps, context, id);
        throw contentGone(row);
      }
      if (bytes !== row.bytes) throw contentDamaged(row, bytes);
      try {
        return await deps.files.read(row.contentKey, range, memory);
      } catch (error) {
        if (error instanceof FileMissing) throw notFound('file', id);
        throw error;
      }
    },
  };
}

function contentGone(row: FileRow): ApiError {
  const message = `The content of file ${row.id} is gone from the server's file store. ${remedy(row)}`;
  return new ApiError(410, message, { code: 'content_gone' });
}

function contentDamaged(row: FileRow, bytes: number): ApiError {
  const message =
    `The content of file ${row.id} is damaged in the server's file store: it has ${bytes} bytes of ${row.bytes}. ` +
    remedy(row);
  return new ApiError(500, message, { code: 'content_damaged' });
}

function remedy({ purpose, filename }: FileRow): string {
  const [batch] = filename.split(/_(?=output\.|error\.)/);
  return purpose === 'batch_output'
    ? `GET /v1/batches/${batch}/output reads the results from where they were first stored.`
    : 'Upload it again.';
}
