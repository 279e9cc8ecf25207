import { ApiError } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { UploadObject } from '../../protocol/upload.ts';
import { findUpload, toUploadObject } from './upload-object.ts';

/** Cancels a pending upload; its parts go. Throws ApiError 404, or 400 when it is completed or expired. */
export async function cancelUpload(deps: Deps, context: Context, id: string): Promise<UploadObject> {
  const upload = await findUpload(deps, context, id);
  await deps.store.uploads.finish(upload.id, 'cancelled', null);
  deps.nudge();
  const after = await findUpload(deps, context, id);
  if (after.status === 'cancelled') return toUploadObject(deps, after);
  const message = `Cannot cancel an upload with status '${after.status}'.`;
  throw new ApiError(400, message, { code: 'invalid_upload_status', param: 'upload_id' });
}
