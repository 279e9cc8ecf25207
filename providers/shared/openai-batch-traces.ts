import {
  type BatchCall,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type RemoteObject,
} from '../contract.ts';
import { isFields } from './error-body.ts';
import { is404 } from './is-404.ts';
import { ask, askStatus, type BatchAccess } from './openai-batch-client.ts';
import { type RemoteBatch, readBatch, readFile, readList } from './openai-batch-object.ts';
import { isLive, progressOf } from './openai-batch-status.ts';
import { badResponse } from './openai-status.ts';

const pageSize = 100;
/** A list longer than this is not followed further; a search then fails rather than say that there is nothing. */
const mostPages = 1000;
/** Nothing made for a shard is older than its submission, clocks being as they are. */
const clockMarginSeconds = 3600;

/** The oldest batch that carries the token, or reads the file that was uploaded for it; one that failed only if there is no other. */
export async function findBatch(
  access: BatchAccess,
  token: string,
  refs: ProviderRefs,
  call: BatchCall,
): Promise<ProviderBatch | null> {
  const since = refs.submitted_at === undefined ? null : Number(refs.submitted_at) - clockMarginSeconds;
  const inputs = await inputsOf(access, token, refs, call);
  const found: RemoteBatch[] = [];
  for await (const batch of listBatches(access, call, since)) {
    if (batch.token === token || (batch.token === null && inputs.has(batch.inputFileId ?? ''))) found.push(batch);
  }
  found.sort((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0) || (a.id < b.id ? -1 : 1));
  const isFailed = (batch: RemoteBatch) => progressOf(batch, null, [], { nowMs: call.nowMs }).state === 'failed';
  const chosen = found.find((batch) => !isFailed(batch)) ?? found[0];
  return chosen === undefined ? null : { id: chosen.id, refs: { ...refs, ...refsOf(chosen) } };
}

/** Files that carry the token: the one persisted, and where batches have no metadata, all that are so named. */
async function inputsOf(access: BatchAccess, token: string, refs: ProviderRefs, call: BatchCall): Promise<Set<string>> {
  const inputs = new Set<string>();
  if (refs.input_file_id) inputs.add(refs.input_file_id);
  if (access.dialect.metadata) return inputs;
  for await (const item of listFiles(access, call)) {
    const file = readFile(item);
    if (file?.token === token) inputs.add(file.id);
  }
  return inputs;
}

/** Deletes what is left of the input, output and error file; a file that is gone already is no trouble. */
export async function cleanup(access: BatchAccess, refs: ProviderRefs, call: BatchCall): Promise<string[]> {
  const removed: string[] = [];
  const known = { ...(await lateFiles(access, refs, call)), ...refs };
  for (const name of ['input_file_id', 'output_file_id', 'error_file_id']) {
    const fileId = known[name];
    if (fileId === undefined || fileId === '') continue;
    if (await removeFile(access, fileId, call)) removed.push(fileId);
  }
  return removed;
}

/** The files of a batch of which no look has told an output: their ids may have come after the last one. */
async function lateFiles(access: BatchAccess, refs: ProviderRefs, call: BatchCall): Promise<ProviderRefs> {
  const { batch_id: id, output_file_id: output } = refs;
  if (id === undefined || output !== undefined) return {};
  try {
    const path = `${access.dialect.batches}/${encodeURIComponent(id)}`;
    const batch = readBatch(await ask(access, call, { method: 'get', path }));
    return batch === null ? {} : refsOf(batch);
  } catch (error) {
    if (is404(error)) return {};
    throw error;
  }
}

/** Deletes a file; false when there was none. Rejects with ProviderError. */
export async function removeFile(access: BatchAccess, fileId: string, call: BatchCall): Promise<boolean> {
  if (access.blobs !== undefined) return access.blobs.remove(access, fileId, call);
  const path = `${access.dialect.files}/${encodeURIComponent(fileId)}`;
  return (await askStatus(access, call, { method: 'delete', path }, [404])) !== 404;
}

/** Everything with our marker: files by name, batches by token or by the file they read, and the files that those wrote. */
export async function* inventory(access: BatchAccess, call: BatchCall): AsyncGenerator<RemoteObject> {
  const tokens = new Map<string, string>();
  const files: { id: string; token: string | null; createdAt: number }[] = [];
  for await (const item of listFiles(access, call)) {
    const file = readFile(item);
    if (file === null) continue;
    files.push({ id: file.id, token: file.token, createdAt: file.createdAt ?? 0 });
    if (file.token !== null) tokens.set(file.id, file.token);
  }
  for await (const batch of listBatches(access, call, null)) {
    const token = batch.token ?? tokens.get(batch.inputFileId ?? '');
    if (token === undefined) continue;
    for (const id of [batch.outputFileId, batch.errorFileId]) if (id !== null) tokens.set(id, token);
    yield {
      kind: 'batch',
      id: batch.id,
      token,
      createdAt: batch.createdAt ?? 0,
      refs: refsOf(batch),
      live: isLive(batch),
    };
  }
  for (const { id, createdAt } of files) {
    const token = tokens.get(id);
    if (token === undefined) continue;
    yield { kind: 'file', id, token, createdAt, refs: { input_file_id: id }, live: false };
  }
}

function refsOf(batch: RemoteBatch): ProviderRefs {
  return {
    batch_id: batch.id,
    ...(batch.inputFileId !== null && { input_file_id: batch.inputFileId }),
    ...(batch.outputFileId !== null && { output_file_id: batch.outputFileId }),
    ...(batch.errorFileId !== null && { error_file_id: batch.errorFileId }),
    ...(batch.endpoint !== null && { endpoint: batch.endpoint }),
    ...(batch.createdAt !== null && { submitted_at: String(Math.floor(batch.createdAt)) }),
  };
}

/** Batches as they are listed, newest first; ends after the page on which all are older than `since` (Unix seconds). */
async function* listBatches(access: BatchAccess, call: BatchCall, since: number | null): AsyncGenerator<RemoteBatch> {
  for await (const page of listPages(access, call, access.dialect.batches)) {
    const batches = page.map(readBatch).filter((batch) => batch !== null);
    yield* batches;
    if (since !== null && batches.length > 0 && batches.every(({ createdAt }) => (createdAt ?? since) < since)) return;
  }
}

/** Every file that may be ours; an account may hold many others, so purposes narrow the list where they can. */
async function* listFiles(access: BatchAccess, call: BatchCall): AsyncGenerator<unknown> {
  if (access.blobs !== undefined) {
    yield* access.blobs.list(access, call);
    return;
  }
  const { files, listed } = access.dialect;
  for (const purpose of listed ?? [null]) {
    const filter = purpose === null ? {} : { purpose };
    for await (const page of listPages(access, call, files, filter)) yield* page;
  }
}

/** The pages of a list, however the dialect goes on. Rejects with ProviderError also when a list has no end. */
async function* listPages(
  access: BatchAccess,
  call: BatchCall,
  path: string,
  filter: Record<string, string> = {},
): AsyncGenerator<unknown[]> {
  const { paging } = access.dialect;
  let after: string | null = null;
  for (let page = 0; page < mostPages; page += 1) {
    const cursor = { limit: String(pageSize), ...(after !== null && { after }) };
    const query =
      paging === 'page' ? { page: String(page), page_size: String(pageSize) } : paging === 'none' ? {} : cursor;
    const answer = await ask(access, call, { method: 'get', path, query: { ...filter, ...query } });
    const list = readList(answer);
    if (list === null) throw new ProviderError(badResponse(200, `${access.provider} answered a list without a list.`));
    const last: unknown = list.at(-1);
    const next = isFields(last) && typeof last.id === 'string' ? last.id : null;
    // The page before once more: the service does not know the cursor.
    if (next !== null && next === after) return;
    yield list;
    if (paging === 'none' || next === null || !goesOn(answer, list.length)) return;
    after = next;
  }
  throw new ProviderError(badResponse(200, `${access.provider} lists more than ${mostPages} pages.`, 'list_too_long'));
}

/** A service that leaves `has_more` out (compatible ones, and Mistral, which counts pages) may have more after a full page. */
function goesOn(answer: unknown, items: number): boolean {
  const more = isFields(answer) ? answer.has_more : undefined;
  return typeof more === 'boolean' ? more : items >= pageSize;
}
