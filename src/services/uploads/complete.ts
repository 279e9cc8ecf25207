import { createHash } from 'node:crypto';
import { ApiError } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { FileMissing, type FileStore } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { UploadPartRow, UploadRow } from '../../ports/store-uploads.ts';
import type { UploadObject } from '../../protocol/upload.ts';
import { fileRow } from '../files/file-row.ts';
import { discard, type Ingested, ingest } from '../files/ingest.ts';
import { findUpload, requirePending, toUploadObject } from './upload-object.ts';

export interface UploadComplete {
  uploadId: string;
  /** In the order of the file. */
  partIds: readonly string[];
  md5: string | undefined;
}

/**
 * Puts the parts together and makes the file of them. Throws ApiError 404; 400 when the parts are not those of the
 * upload, not of the declared size or digest, or the file cannot serve its purpose. A completed upload answers its
 * file again.
 */
export async function completeUpload(deps: Deps, context: Context, input: UploadComplete): Promise<UploadObject> {
  const upload = await findUpload(deps, context, input.uploadId);
  if (upload.status === 'completed') return toUploadObject(deps, upload);
  requirePending(deps, upload);
  const parts = chooseParts(upload, await deps.store.uploads.parts(upload.id), input.partIds);
  const id = context.newId('file-');
  const digest = input.md5 === undefined ? null : createHash('md5');
  const ingested = await ingestParts(deps, context, { upload, id, content: joined(deps.files, parts, digest) });
  let row: FileRow;
  try {
    requireDigest(digest?.digest('hex'), input.md5);
    const { filename, purpose, expiresAfterSeconds } = upload;
    row = fileRow(deps, context, id, ingested, { filename, purpose, expiresAfterSeconds });
    // The file belongs to whoever made the upload, also when an administrator completes it.
    row = { ...row, tenantId: upload.tenantId, keyId: upload.keyId };
  } catch (error) {
    await discard(deps, ingested);
    throw error;
  }
  // A failed write may still have been carried out, so the bytes stay: without a row they are swept later.
  const completed = await deps.store.uploads.complete(upload.id, row);
  if (!completed && (await deps.store.files.getAny(id)) === null) await discard(deps, ingested);
  deps.nudge();
  const after = await findUpload(deps, context, upload.id);
  if (after.status !== 'completed') requirePending(deps, after);
  return toUploadObject(deps, after);
}

function chooseParts(upload: UploadRow, stored: readonly UploadPartRow[], ids: readonly string[]): UploadPartRow[] {
  const byId = new Map(stored.map((part) => [part.id, part]));
  const chosen = ids.map((id) => {
    const part = byId.get(id);
    if (part === undefined) {
      const message = `The upload has no part ${JSON.stringify(id.slice(0, 64))}, or it is named twice. Name each part once.`;
      throw new ApiError(400, message, { code: 'invalid_part', param: 'part_ids' });
    }
    byId.delete(id);
    return part;
  });
  const bytes = chosen.reduce((sum, part) => sum + part.bytes, 0);
  if (bytes === upload.bytes) return chosen;
  const message = `The parts have ${bytes} bytes together, but the upload declared ${upload.bytes}. Name all parts, in order.`;
  throw new ApiError(400, message, { code: 'bytes_mismatch', param: 'part_ids' });
}

async function* joined(
  files: FileStore,
  parts: readonly UploadPartRow[],
  digest: ReturnType<typeof createHash> | null,
): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    for await (const chunk of await files.read(part.contentKey)) {
      digest?.update(chunk);
      yield chunk;
    }
  }
}

async function ingestParts(
  deps: Deps,
  context: Context,
  from: { upload: UploadRow; id: string; content: AsyncIterable<Uint8Array> },
): Promise<Ingested> {
  try {
    return await ingest(deps, from.id, from.content, from.upload.purpose);
  } catch (error) {
    if (!(error instanceof FileMissing)) throw error;
    // The parts go when the upload ends, and it may have ended just now.
    requirePending(deps, await findUpload(deps, context, from.upload.id));
    throw error;
  }
}

function requireDigest(actual: string | undefined, declared: string | undefined): void {
  if (declared === undefined || declared.toLowerCase() === actual) return;
  const message =
    'The MD5 digest of the parts is not the one given. Send hexadecimal digits, or upload the parts again.';
  throw new ApiError(400, message, { code: 'md5_mismatch', param: 'md5' });
}
