import type { Context, Deps } from '../../ports/deps.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { FileObject, UploadPurpose } from '../../protocol/file.ts';
import { requireStorage, withinStorage } from '../keys/limiter.ts';
import { type FileDetails, fileRow, toFileObject } from './file-row.ts';
import { discard, discardPlan, ingest } from './ingest.ts';

export interface FileCreate {
  content: AsyncIterable<Uint8Array>;
  /** The purpose, if it is known before the content. */
  purpose: UploadPurpose | undefined;
  /** Asked for once the content has been read, since a form may hold it after the file. Throws ApiError 400. */
  details(): Promise<FileDetails>;
}

/**
 * Stores a file. With purpose `batch` its lines are checked and planned; bad lines are kept on its row, a file that is
 * no JSONL at all is refused (ApiError 400), as is one that is too large or more than its key may store (413). A repeated call with the same id
 * answers the stored row.
 */
export async function createFile(deps: Deps, context: Context, input: FileCreate): Promise<FileObject> {
  const id = context.newId('file-');
  const known = await deps.store.files.getAny(id);
  if (known !== null && known.tenantId === context.actor.tenantId) {
    // A repeated request must still be read, so that it can be compared with the first.
    for await (const _chunk of input.content);
    await input.details();
    return toFileObject(known);
  }
  // Nothing is read of a file for which there is no room at all.
  const { left } = await requireStorage(deps, context.actor.keyId, 1);
  const ingested = await ingest(deps, id, withinStorage(input.content, left), input.purpose);
  let row: FileRow;
  try {
    row = fileRow(deps, context, id, ingested, await input.details());
    // Others may have been stored while this one came.
    await requireStorage(deps, context.actor.keyId, row.bytes);
    if (row.planKey === null) await discardPlan(deps, ingested);
  } catch (error) {
    await discard(deps, ingested);
    throw error;
  }
  // A failed insert may still have been carried out, so the bytes stay: without a row they are swept later.
  await deps.store.files.insert(row);
  const stored = (await deps.store.files.getAny(id)) ?? row;
  // Another run of the same call was first.
  if (stored.contentKey !== row.contentKey) await discard(deps, ingested);
  return toFileObject(stored);
}
