import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import { type Fields, fieldsOf } from '../../core/fields.ts';
import { LineFramer } from '../../core/jsonl.ts';
import { messageOfChat, messagesError } from '../../core/messages-answer.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { cancelBatch } from '../batches/cancel.ts';
import { createBatch } from '../batches/create.ts';
import { listBatches } from '../batches/list.ts';
import { batchOutput } from '../batches/output.ts';
import { retrieveBatch } from '../batches/retrieve.ts';
import { createFile } from '../files/create.ts';
import { deleteFile } from '../files/delete.ts';
import { readMessages } from './send.ts';

const REQUESTS_MAX = 100_000;
const CUSTOM_ID = /^[a-zA-Z0-9_-]{1,64}$/;

/** Creates a batch of Messages requests. `config` and `window` come by header. Throws ApiError 400 that names the request. */
export async function createMessageBatch(
  deps: Deps,
  context: Context,
  input: { body: Fields; config: string | undefined; window: string },
): Promise<BatchObject> {
  const lines = readRequests(input.body.requests);
  const file = await createFile(deps, context, {
    content: encode(lines),
    purpose: 'batch',
    details: () => Promise.resolve({ filename: 'messages.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
  });
  return createBatch(deps, context, {
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: input.window,
    ...(input.config !== undefined && { config: input.config }),
  });
}

function readRequests(requests: unknown): string[] {
  if (!Array.isArray(requests) || requests.length === 0)
    throw invalid('requests: Field required, with at least one request');
  if (requests.length > REQUESTS_MAX) throw invalid(`requests: at most ${REQUESTS_MAX} are allowed`);
  const ids = new Set<string>();
  return requests.map((request: unknown, index) => {
    const { custom_id: id, params } = fieldsOf(request);
    const place = `requests.${index}`;
    if (typeof id !== 'string' || !CUSTOM_ID.test(id)) {
      throw invalid(`${place}.custom_id: use 1 to 64 letters, digits, _ or -`);
    }
    if (ids.has(id)) throw invalid(`${place}.custom_id: '${id}' is used twice`);
    ids.add(id);
    const { stream, ...body } = readMessages(fieldsOf(params), `${place}.params.`);
    if (stream === true) throw invalid(`${place}.params.stream: a batch does not stream`);
    return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body })}\n`;
  });
}

async function* encode(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < lines.length; at += 100) yield Buffer.from(lines.slice(at, at + 100).join(''));
}

/** The batch as Anthropic's clients see it; `origin` is where they find its results. */
export function presentMessageBatch(batch: BatchObject, origin: string): Fields {
  const ended = isTerminal(batch.status);
  const { total, completed, failed } = batch.request_counts;
  // As at Anthropic, nothing but the whole is counted before the end.
  const counts = { processing: ended ? 0 : total, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  if (ended) {
    counts.succeeded = completed;
    const rest = batch.status === 'cancelled' ? 'canceled' : batch.status === 'expired' ? 'expired' : 'errored';
    counts[rest] = failed;
  }
  const end = batch.completed_at ?? batch.failed_at ?? batch.expired_at ?? batch.cancelled_at ?? null;
  return {
    id: toMessageId(batch.id),
    type: 'message_batch',
    processing_status: ended ? 'ended' : batch.status === 'cancelling' ? 'canceling' : 'in_progress',
    request_counts: counts,
    created_at: time(batch.created_at),
    expires_at: time(batch.expires_at ?? batch.created_at + 86_400),
    ended_at: time(end),
    cancel_initiated_at: time(batch.cancelling_at ?? null),
    archived_at: null,
    results_url: ended ? `${origin}/v1/messages/batches/${toMessageId(batch.id)}/results` : null,
  };
}

export async function retrieveMessageBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  const batch = await retrieveBatch(deps, context, toBatchId(id));
  // A batch is deleted by deleting its files.
  if ((await deps.store.files.get('all', batch.input_file_id)) === null) throw gone(id);
  return batch;
}

/** The caller's batches of chat completions, newest first. */
export async function listMessageBatches(
  deps: Deps,
  context: Context,
  query: { limit: number; afterId?: string | undefined },
) {
  const after = query.afterId === undefined ? {} : { after: toBatchId(query.afterId) };
  const page = await listBatches(deps, context, { limit: query.limit, order: 'desc', ...after });
  return { has_more: page.has_more, batches: page.data.filter(({ endpoint }) => endpoint === '/v1/chat/completions') };
}

export async function cancelMessageBatch(deps: Deps, context: Context, id: string): Promise<BatchObject> {
  await retrieveMessageBatch(deps, context, id);
  return cancelBatch(deps, context, toBatchId(id));
}

export async function deleteMessageBatch(deps: Deps, context: Context, id: string): Promise<Fields> {
  const batch = await retrieveMessageBatch(deps, context, id);
  if (!isTerminal(batch.status)) {
    throw new ApiError(400, 'Only a batch that has ended can be deleted. Cancel it first.', {
      code: 'batch_not_ended',
    });
  }
  for (const file of [batch.output_file_id, batch.error_file_id, batch.input_file_id]) {
    if (file) await deleteFile(deps, context, file).catch(ignoreMissing);
  }
  return { id, type: 'message_batch_deleted' };
}

/** The results of an ended batch as JSONL, in the order of its requests. */
export async function messageResults(deps: Deps, context: Context, id: string): Promise<AsyncIterable<Uint8Array>> {
  const batch = await retrieveMessageBatch(deps, context, id);
  if (!isTerminal(batch.status)) {
    throw new ApiError(400, 'The batch has not ended: it has no results yet.', { code: 'batch_not_ended' });
  }
  const { bytes } = await batchOutput(deps, context, batch.id, false);
  return resultLines(bytes);
}

async function* resultLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let lines: string[] = [];
  const framer = new LineFramer(Number.MAX_SAFE_INTEGER, (line) => {
    if (line !== null && line.length > 0) lines.push(resultText(line));
  });
  for await (const chunk of bytes) {
    framer.push(chunk);
    if (lines.length > 0) yield Buffer.from(lines.join(''));
    lines = [];
  }
  framer.end();
  if (lines.length > 0) yield Buffer.from(lines.join(''));
}

function resultText(line: Uint8Array): string {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  const { custom_id: id, response, error } = JSON.parse(text) as ResultLine;
  return `${JSON.stringify({ custom_id: id, result: resultOf(response, error) })}\n`;
}

function resultOf(response: ResultLine['response'], error: ResultLine['error']): Fields {
  if (response !== null && response.status_code < 400 && error === null) {
    return { type: 'succeeded', message: messageOfChat(response.body as Fields) };
  }
  if (error?.code === 'batch_cancelled') return { type: 'canceled' };
  if (error?.code === 'batch_expired') return { type: 'expired' };
  const status = response?.status_code ?? 500;
  return {
    type: 'errored',
    error: messagesError(status, error?.message ?? 'The request failed.', response?.request_id ?? null),
  };
}

function toMessageId(id: string): string {
  return id.replace(/^batch_/, 'msgbatch_');
}

function toBatchId(id: string): string {
  if (!id.startsWith('msgbatch_')) throw gone(id);
  return id.replace(/^msgbatch_/, 'batch_');
}

function gone(id: string): ApiError {
  return new ApiError(404, `There is no message batch '${id.slice(0, 128)}'.`, { code: 'not_found', param: 'id' });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}

function time(seconds: number | null): string | null {
  return seconds === null ? null : new Date(seconds * 1_000).toISOString();
}

function invalid(message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_request' });
}
