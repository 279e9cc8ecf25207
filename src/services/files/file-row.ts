import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { FileObject, UploadPurpose } from '../../protocol/file.ts';
import type { Ingested } from './ingest.ts';

const FILENAME_LENGTH_MAX = 1_024;

export interface FileDetails {
  filename: string;
  purpose: UploadPurpose;
  /** Null: the default of the purpose. */
  expiresAfterSeconds: number | null;
}

/** The row of an ingested file. Throws ApiError 400 when it cannot serve its purpose. */
export function fileRow(deps: Deps, context: Context, id: string, ingested: Ingested, details: FileDetails): FileRow {
  const createdAt = unixSeconds(deps.clock);
  const { purpose } = details;
  const { planned } = ingested;
  if (purpose === 'batch' && planned !== null && 'refusal' in planned) throw planned.refusal;
  const input = purpose === 'batch' && planned !== null && 'plan' in planned ? planned : null;
  const life = details.expiresAfterSeconds ?? (purpose === 'batch' ? deps.settings.batchFileSeconds : null);
  return {
    id,
    tenantId: context.actor.tenantId,
    keyId: context.actor.keyId,
    filename: cleanFilename(details.filename),
    purpose,
    bytes: ingested.bytes,
    sha256: ingested.sha256,
    createdAt,
    expiresAt: life === null ? null : createdAt + life,
    deletedAt: null,
    contentKey: ingested.contentKey,
    planKey: input?.planKey ?? null,
    plan: input?.plan ?? null,
  };
}

/** The name without its directories, control characters and broken surrogates; `upload` when nothing is left. */
export function cleanFilename(filename: string): string {
  const name = filename.slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1);
  const clean = name.toWellFormed().replaceAll(/\p{Cc}/gu, '');
  if (clean.length > FILENAME_LENGTH_MAX) {
    const message = `The filename has ${clean.length} characters; at most ${FILENAME_LENGTH_MAX} are allowed. Shorten it.`;
    throw new ApiError(400, message, { code: 'string_above_max_length', param: 'filename' });
  }
  return clean === '' || clean === '.' || clean === '..' ? 'upload' : clean;
}

/** OpenAI's file object. */
export function toFileObject(row: FileRow): FileObject {
  return {
    id: row.id,
    object: 'file',
    bytes: row.bytes,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    filename: row.filename,
    purpose: row.purpose,
    status: 'processed',
    status_details: null,
  };
}

/** The row of a file that the actor may see and that has not expired. Throws ApiError 404. */
export async function findFile(deps: Deps, context: Context, id: string): Promise<FileRow> {
  const row = await deps.store.files.get(scopeOf(context.actor), id);
  const gone = row?.expiresAt != null && row.expiresAt <= unixSeconds(deps.clock);
  if (row === null || gone) throw notFound('file', id);
  return row;
}
