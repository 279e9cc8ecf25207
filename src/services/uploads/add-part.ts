import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { UploadPartRow, UploadRow } from '../../ports/store-uploads.ts';
import { UPLOAD_PART_BYTES_MAX } from '../../protocol/upload.ts';
import { findUpload, requirePending } from './upload-object.ts';

const partsMax = 10_000;

export interface UploadPartObject {
  id: string;
  object: 'upload.part';
  created_at: number;
  upload_id: string;
}

export interface UploadPartCreate {
  uploadId: string;
  content: AsyncIterable<Uint8Array>;
  /** Resolves when the form that holds the content has come whole. Throws ApiError 400. */
  ended(): Promise<void>;
}

/** Stores a part of at most 64 MiB. Throws ApiError 404, 413, or 400 when the upload takes no more parts. */
export async function addUploadPart(deps: Deps, context: Context, input: UploadPartCreate): Promise<UploadPartObject> {
  const upload = await findUpload(deps, context, input.uploadId);
  requirePending(deps, upload);
  const parts = await deps.store.uploads.parts(upload.id);
  const id = context.newId('part_');
  const known = parts.find((part) => part.id === id);
  if (known !== undefined) {
    await readToEnd(input);
    return toPartObject(known);
  }
  requireRoom(upload, parts);
  const contentKey = `uploads/${upload.id}/${id}`;
  const bytes = await store(deps, contentKey, input);
  const row = { id, uploadId: upload.id, bytes, contentKey, createdAt: unixSeconds(deps.clock) };
  if (!(await deps.store.uploads.addPart(row))) {
    await deps.files.delete(contentKey);
    requirePending(deps, await findUpload(deps, context, input.uploadId));
    throw new ApiError(400, 'The upload ended while the part was sent. Create a new upload.', { param: 'upload_id' });
  }
  return toPartObject(row);
}

/** Parts may be sent anew, but not without end: twice the declared size and one part is the most that is kept. */
function requireRoom(upload: UploadRow, parts: readonly UploadPartRow[]): void {
  const stored = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (parts.length < partsMax && stored <= 2 * upload.bytes) return;
  const message = `The upload holds ${parts.length} parts of ${stored} bytes already, ${upload.bytes} were declared. Complete or cancel it.`;
  throw new ApiError(400, message, { code: 'too_many_parts', param: 'data' });
}

/** A repeated request must still be read, so that it can be compared with the first. */
async function readToEnd(input: UploadPartCreate): Promise<void> {
  for await (const _chunk of input.content);
  await input.ended();
}

async function store(deps: Deps, key: string, input: UploadPartCreate): Promise<number> {
  const writer = await deps.files.create(key);
  try {
    let bytes = 0;
    for await (const chunk of input.content) {
      bytes += chunk.length;
      if (bytes > UPLOAD_PART_BYTES_MAX) throw partTooLarge();
      await writer.write(chunk);
    }
    await input.ended();
    await writer.close();
    return bytes;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The answer to a part that is too large. */
export function partTooLarge(): ApiError {
  const message = `The part is too large. At most ${UPLOAD_PART_BYTES_MAX} bytes are allowed. Send smaller parts.`;
  return new ApiError(413, message, { code: 'part_too_large', param: 'data' });
}

function toPartObject(row: UploadPartRow): UploadPartObject {
  return { id: row.id, object: 'upload.part', created_at: row.createdAt, upload_id: row.uploadId };
}
