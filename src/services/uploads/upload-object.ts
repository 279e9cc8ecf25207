import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { UploadRow } from '../../ports/store-uploads.ts';
import type { UploadObject } from '../../protocol/upload.ts';
import { toFileObject } from '../files/file-row.ts';

/** OpenAI's upload object, with the file it became. A pending upload past its end shows as expired. */
export async function toUploadObject(deps: Deps, row: UploadRow): Promise<UploadObject> {
  const file = row.fileId === null ? null : await deps.store.files.getAny(row.fileId);
  const status = row.status === 'pending' && row.expiresAt <= unixSeconds(deps.clock) ? 'expired' : row.status;
  return {
    id: row.id,
    object: 'upload',
    bytes: row.bytes,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    filename: row.filename,
    purpose: row.purpose,
    status,
    file: file === null ? null : toFileObject(file),
  };
}

/** An upload the actor may see. Throws ApiError 404. */
export async function findUpload(deps: Deps, context: Context, id: string): Promise<UploadRow> {
  const row = await deps.store.uploads.get(scopeOf(context.actor), id);
  if (row === null) throw notFound('upload', id);
  return row;
}

/** Throws ApiError 400 unless the upload can still take parts. */
export function requirePending(deps: Deps, row: UploadRow): void {
  const expired = row.status === 'expired' || (row.status === 'pending' && row.expiresAt <= unixSeconds(deps.clock));
  if (!expired && row.status === 'pending') return;
  const status = expired ? 'expired' : row.status;
  const message = `The upload has the status '${status}' and takes no more parts. Create a new upload.`;
  throw new ApiError(400, message, { code: 'invalid_upload_status', param: 'upload_id' });
}
