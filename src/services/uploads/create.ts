import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { UploadRow } from '../../ports/store-uploads.ts';
import { UPLOAD_LIFETIME_SECONDS, type UploadCreate, type UploadObject } from '../../protocol/upload.ts';
import { cleanFilename } from '../files/file-row.ts';
import { fileTooLarge } from '../files/ingest.ts';
import { requireStorage } from '../keys/limiter.ts';
import { toUploadObject } from './upload-object.ts';

/** Starts an upload in parts. Throws ApiError 413 when its file would be too large, or more than its key may store. A repeated id answers its row. */
export async function createUpload(deps: Deps, context: Context, input: UploadCreate): Promise<UploadObject> {
  if (input.bytes > deps.settings.maxFileBytes) throw fileTooLarge(deps.settings.maxFileBytes);
  const id = context.newId('upload_');
  const known = await deps.store.uploads.get({ tenantId: context.actor.tenantId }, id);
  if (known !== null) return toUploadObject(deps, known);
  await requireStorage(deps, context.actor.keyId, input.bytes);
  const createdAt = unixSeconds(deps.clock);
  const row: UploadRow = {
    id,
    tenantId: context.actor.tenantId,
    keyId: context.actor.keyId,
    bytes: input.bytes,
    filename: cleanFilename(input.filename),
    mimeType: input.mime_type,
    purpose: input.purpose,
    expiresAfterSeconds: input.expires_after?.seconds ?? null,
    createdAt,
    expiresAt: createdAt + UPLOAD_LIFETIME_SECONDS,
    status: 'pending',
    fileId: null,
  };
  await deps.store.uploads.insert(row);
  return toUploadObject(deps, row);
}
