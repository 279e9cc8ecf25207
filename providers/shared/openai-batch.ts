import { refusal } from '../../src/core/failure.ts';
import { LastingLines } from '../../src/core/lasting-lines.ts';
import { type Endpoint, parseEndpoint } from '../../src/protocol/endpoint.ts';
import {
  type BatchApi,
  type BatchCall,
  type BatchLimits,
  type BatchPlace,
  type BatchResult,
  type NativeRequest,
  type Progress,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type ShardInput,
} from '../contract.ts';
import { is404 } from './is-404.ts';
import { ask, askStatus, type BatchAccess, contextOf } from './openai-batch-client.ts';
import { createBody } from './openai-batch-create.ts';
import { download } from './openai-batch-download.ts';
import { type RemoteBatch, readBatch } from './openai-batch-object.ts';
import { probeFiles } from './openai-batch-probe.ts';
import { oversizedLine, resultOfBytes } from './openai-batch-results.ts';
import { progressOf } from './openai-batch-status.ts';
import { cleanup, findBatch, inventory, removeFile } from './openai-batch-traces.ts';
import { awaitFile, uploadInput } from './openai-batch-upload.ts';
import { badResponse } from './openai-status.ts';

/** A batch that was just created may not be known everywhere yet. */
const notFoundGraceMs = 15 * 60_000;

/** The batch service of a provider that speaks OpenAI's files and batches, or a dialect of them. */
export function createOpenAIBatch(access: BatchAccess, limits: BatchLimits = access.dialect.limits): BatchApi {
  return {
    limits,
    place: placeOf(access),
    line: (key, request) => lineOf(access, key, request),
    submit: (input, call) => submit(access, input, call),
    find: (token, refs, call) => findBatch(access, token, refs, call),
    poll: (batch, call) => poll(access, batch, call),
    results: (batch, call) => results(access, batch, call),
    cancel: (batch, call) => cancel(access, batch, call),
    cleanup: (refs, call) => cleanup(access, refs, call),
    inventory: (call) => inventory(access, call),
    probe: (call) => probeFiles(access, (key, request) => lineOf(access, key, request), call),
  };
}

function placeOf({ baseUrl, address = baseUrl, blobs, account }: BatchAccess): BatchPlace {
  return { name: [address, blobs?.folder ?? []].flat().join(' with '), account: () => account };
}

/** One line of the input file; `request.body` is JSON already and is not touched. */
function lineOf({ dialect }: BatchAccess, key: string, request: NativeRequest): string {
  const id = JSON.stringify(key);
  if (dialect.lines === 'bare') return `{"custom_id":${id},"body":${request.body}}`;
  const url = dialect.urlPrefix + request.endpoint.slice('/v1'.length);
  return `{"custom_id":${id},"method":"POST","url":"${url}","body":${request.body}}`;
}

async function submit(access: BatchAccess, input: ShardInput, call: BatchCall): Promise<ProviderBatch> {
  const { dialect } = access;
  if (dialect.endpoints?.includes(input.endpoint) === false) {
    const message = `${access.provider} takes no batches for ${input.endpoint}.`;
    throw new ProviderError(refusal('unsupported', 'endpoint_not_supported', message, 'url'));
  }
  const bodyOf = createBody(access, input);
  const file = await uploadInput(access, input, call);
  const refs: ProviderRefs = {
    input_file_id: file.id,
    endpoint: input.endpoint,
    submitted_at: String(Math.floor(call.nowMs / 1000)),
  };
  await call.saved(refs);
  try {
    if (dialect.awaitsFile) await awaitFile(access, file, call);
    const headers = dialect.idempotent ? { 'idempotency-key': input.token } : {};
    const answer = await ask(access, call, { method: 'post', path: dialect.batches, headers, body: bodyOf(file.id) });
    const batch = expectBatch(answer, access);
    await call.saved({ batch_id: batch.id });
    return { id: batch.id, refs: { ...refs, batch_id: batch.id } };
  } catch (error) {
    // After a clear refusal there is no batch that could read the file.
    if (error instanceof ProviderError && isClearRefusal(error))
      await removeFile(access, file.id, call).catch(() => null);
    throw error;
  }
}

function isClearRefusal({ failure }: ProviderError): boolean {
  const { status, code } = failure;
  if (code === 'file_error') return true;
  return status !== null && status >= 400 && status < 500 && status !== 408 && status !== 409;
}

async function poll(access: BatchAccess, { id, refs }: ProviderBatch, call: BatchCall): Promise<Progress> {
  try {
    const answer = await ask(access, call, { method: 'get', path: pathOf(access, id) });
    return progressOf(expectBatch(answer, access), answer, access.secrets, { nowMs: call.nowMs, known: refs });
  } catch (error) {
    const submittedMs = Number(refs.submitted_at ?? 0) * 1000;
    const isNew = call.nowMs - submittedMs < notFoundGraceMs;
    if (!isNew || !is404(error)) throw error;
    const unknown = { counts: null, failure: null, lines: [], refs: {}, details: null };
    return { state: 'running', reason: null, raw: 'not_found', ...unknown };
  }
}

async function* results(access: BatchAccess, batch: ProviderBatch, call: BatchCall): AsyncGenerator<BatchResult> {
  const { refs } = batch;
  const remote = await endedBatch(access, batch, call);
  const files = [remote?.outputFileId ?? refs.output_file_id, remote?.errorFileId ?? refs.error_file_id];
  const endpoint = parseEndpoint(refs.endpoint ?? '') ?? remote?.endpoint ?? null;
  let lines = 0;
  let areVerified = true;
  for (const fileId of new Set(files)) {
    if (fileId === undefined || fileId === '') continue;
    const read = yield* linesOf(access, fileId, endpoint, call);
    lines += read.lines;
    areVerified &&= read.isVerified;
  }
  // Where no length tells that a file is whole, the counts must.
  const counts = remote?.counts;
  if (!areVerified && remote === null && access.blobs !== undefined) {
    throw new ProviderError(
      badResponse(404, `${access.provider} has neither the batch nor its results.`, 'results_gone'),
    );
  }
  if (areVerified || !counts || lines >= counts.succeeded + counts.failed) return;
  const message = `${access.provider} returned ${lines} lines of ${counts.succeeded + counts.failed}.`;
  throw new ProviderError(badResponse(200, message, 'download_incomplete'));
}

/**
 * The batch, asked anew: file ids may have come after the poll that was persisted. null when the service does not find it now
 * but its files are known. Rejects when it says that it runs again.
 */
async function endedBatch(access: BatchAccess, batch: ProviderBatch, call: BatchCall): Promise<RemoteBatch | null> {
  const { id, refs } = batch;
  let remote: RemoteBatch;
  try {
    remote = expectBatch(await ask(access, call, { method: 'get', path: pathOf(access, id) }), access);
  } catch (error) {
    const isKnown = refs.output_file_id !== undefined || refs.error_file_id !== undefined;
    if (isKnown && is404(error)) return null;
    throw error;
  }
  if (progressOf(remote, null, access.secrets, { nowMs: call.nowMs, known: refs }).state !== 'running') return remote;
  const message = `${access.provider} says that the batch is ${remote.status.slice(0, 40)} again.`;
  throw new ProviderError({ ...badResponse(200, message, 'batch_not_ended'), kind: 'server_error' });
}

async function* linesOf(
  access: BatchAccess,
  fileId: string,
  endpoint: Endpoint | null,
  call: BatchCall,
): AsyncGenerator<BatchResult, { lines: number; isVerified: boolean }> {
  const context = contextOf(access, call);
  let lines = 0;
  let ready: BatchResult[] = [];
  const framer = new LastingLines(call.maxResponseBytes, (bytes, _offset, length) => {
    if (bytes === null) {
      ready.push(oversizedLine(length, access.provider));
      return;
    }
    const read = resultOfBytes(bytes, endpoint, context, access.readers);
    if (read !== null) ready.push(read);
  });
  const chunks = download(access, fileId, call);
  let end: { isVerified: boolean } | null = null;
  try {
    while (end === null) {
      const next = await chunks.next();
      if (next.done) end = next.value;
      if (next.done) framer.end();
      else framer.push(next.value);
      lines += ready.length;
      yield* ready;
      ready = [];
    }
  } finally {
    // Whoever stops reading ends the download.
    await chunks.return({ isVerified: false });
  }
  return { lines, isVerified: end.isVerified };
}

async function cancel(access: BatchAccess, { id }: ProviderBatch, call: BatchCall): Promise<void> {
  const request = { method: 'post', path: `${pathOf(access, id)}/cancel` } as const;
  try {
    await askStatus(access, call, request, []);
  } catch (error) {
    if (!(error instanceof ProviderError) || ![400, 409].includes(error.failure.status ?? 0)) throw error;
    // 409 says that it is over, and nothing else if the object agrees.
    const batch = expectBatch(await ask(access, call, { method: 'get', path: pathOf(access, id) }), access);
    if (
      progressOf(batch, null, access.secrets, { nowMs: call.nowMs }).state === 'running' &&
      !/^cancel/i.test(batch.status)
    )
      throw error;
  }
}

function pathOf({ dialect }: BatchAccess, id: string): string {
  return `${dialect.batches}/${encodeURIComponent(id)}`;
}

function expectBatch(answer: unknown, access: BatchAccess): RemoteBatch {
  const batch = readBatch(answer);
  if (batch !== null) return batch;
  throw new ProviderError(badResponse(200, `${access.provider} answered with something that is no batch.`));
}
