import { tryParseExact } from '../../src/core/exact-json.ts';
import { type Failure, type FailureKind, toErrorBody } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BatchResult, Failed, Result } from '../contract.ts';
import { type AnswerContext, readId } from './answer.ts';
import { isFields } from './error-body.ts';
import { withAnswer } from './failed-answer.ts';
import { forwardedLine } from './openai-batch-forwarded.ts';
import { memberText } from './openai-batch-json.ts';
import { type ResultReaders, resultOf } from './openai-results.ts';
import { badResponse, typeOf } from './openai-status.ts';

type Fields = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();

/** Codes of lines that were never run (developers.openai.com, Batch guide; BatchRequestOutput), and what they mean. */
const unrun: Readonly<Record<string, FailureKind>> = {
  batch_expired: 'expired',
  batch_cancelled: 'cancelled',
  batch_canceled: 'cancelled',
};

const kindByCode: Readonly<Record<string, FailureKind>> = {
  request_timeout: 'timeout',
  rate_limit_exceeded: 'rate_limited',
  content_filter: 'invalid_request',
  invalid_request_error: 'invalid_request',
};

const lenient = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/**
 * The result of one line as it was read, whose bytes are its own from now on; null for a blank one. Bytes that are no UTF-8
 * become U+FFFD, with a warning.
 */
export function resultOfBytes(
  bytes: Uint8Array,
  endpoint: Endpoint | null,
  context: AnswerContext,
  readers: ResultReaders,
): BatchResult | null {
  const forwarded = endpoint === null ? null : forwardedLine(bytes, endpoint, readers);
  if (forwarded !== null) return forwarded;
  const text = lenient.decode(bytes);
  if (text.trim() === '') return null;
  const read = resultOfLine(text, endpoint, context, readers);
  if (!read.result.ok || !text.includes('\uFFFD') || isUtf8(bytes)) return read;
  const warning = 'the answer was not valid UTF-8; bad bytes were replaced by U+FFFD';
  return { ...read, result: { ...read.result, warnings: [...read.result.warnings, warning] } };
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * The result of one line of an output or error file. Success is a 200 and no error; the failure of a line stands in `response`
 * when an answer came, in `error` when none did. A line that cannot be read has no key. Never throws.
 */
export function resultOfLine(
  text: string,
  endpoint: Endpoint | null,
  context: AnswerContext,
  readers: ResultReaders,
): BatchResult {
  const line = tryParseExact(text);
  if (!isFields(line)) {
    return { key: null, result: unreadable(`${context.provider} returned a line that is no JSON object.`), raw: text };
  }
  const key = typeof line.custom_id === 'string' && line.custom_id !== '' ? line.custom_id : null;
  return { key, result: resultOfFields(line, text, endpoint, context, readers), raw: text };
}

/** The result of a line longer than a line may be; it was not kept. */
export function oversizedLine(bytes: number, provider: string): BatchResult {
  const failure = badResponse(
    200,
    `${provider} returned a line of ${bytes} bytes, more than may be kept.`,
    'response_too_large',
  );
  return { key: null, result: toFailed(failure, null), raw: '' };
}

function resultOfFields(
  line: Fields,
  text: string,
  endpoint: Endpoint | null,
  context: AnswerContext,
  readers: ResultReaders,
): Result {
  const response = isFields(line.response) ? line.response : null;
  const requestId = readId(response?.request_id) ?? readId(line.id);
  const hasError = line.error !== null && line.error !== undefined;
  if (response === null) {
    if (hasError) return { ...failedBy(line.error, context, readers), requestId };
    return { ...unreadable(`${context.provider} returned a line with neither a response nor an error.`), requestId };
  }
  const status = readStatus(response.status_code);
  const body = memberText(memberText(text, 'response') ?? '{}', 'body') ?? '';
  const answered = { status, headers: {}, body: encoder.encode(body) };
  const result = resultOf(endpoint ?? endpointOf(response.body), answered, context, readers);
  if (!result.ok) return { ...result, requestId };
  if (hasError) return { ...withAnswer(failedBy(line.error, context, readers), result), requestId };
  return { ...result, requestId };
}

/** A failure stated in `error`: `{code, message}`, a text, or a code that is an HTTP status. */
function failedBy(error: unknown, context: AnswerContext, readers: ResultReaders): Failed {
  const fields: Fields = isFields(error) ? error : { message: error };
  const status = Number(fields.code);
  const isStatus = Number.isInteger(status) && status >= 400 && status < 600;
  const json = { error: { ...fields, code: isStatus ? null : fields.code } };
  const answer = { text: JSON.stringify(json), json, isDamaged: false };
  const response = { status: isStatus ? status : 500, headers: {}, body: new Uint8Array() };
  const read = readers.failureOf(response, answer, context);
  if (isStatus) return toFailed(read, null);
  const kind = unrun[read.code] ?? kindByCode[read.code] ?? 'server_error';
  const type = read.type === 'server_error' ? typeOf(kind) : read.type;
  // A line that was never run was never billed.
  const failure: Failure = { ...read, kind, type, status: null, reachedProvider: unrun[read.code] === undefined };
  return toFailed(failure, null);
}

function unreadable(message: string): Failed {
  return toFailed(badResponse(200, message), null);
}

function toFailed(failure: Failure, requestId: string | null): Failed {
  const body = JSON.stringify({ error: toErrorBody(failure) });
  return { ok: false, failure, requestId, body, usage: null, rawUsage: null };
}

/** The status of the line; 200 where a service leaves it out or writes it as text. */
function readStatus(value: unknown): number {
  const status = Number(value ?? 200);
  return Number.isInteger(status) && status >= 100 && status < 600 ? status : 500;
}

/** The endpoint that an answer's own words tell, for a batch that forgot its endpoint (Azure). */
function endpointOf(body: unknown): Endpoint {
  const object = isFields(body) ? body.object : undefined;
  if (object === 'list') return '/v1/embeddings';
  if (object === 'response') return '/v1/responses';
  if (object === 'text_completion') return '/v1/completions';
  return isFields(body) && Array.isArray(body.results) ? '/v1/moderations' : '/v1/chat/completions';
}
