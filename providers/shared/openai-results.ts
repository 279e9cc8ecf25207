import { type Failure, toErrorBody } from '../../src/core/failure.ts';
import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import type { UsageReading } from '../../src/core/usage.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { Failed, Result } from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer, requestIdOf } from './answer.ts';
import { isFields, readErrorBody } from './error-body.ts';
import { badResponse, failureOfCall } from './openai-status.ts';
import { tierWarnings } from './service-tier.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The two readings in which kinds may differ. */
export interface ResultReaders {
  failureOf(response: HttpResponse, answer: ParsedAnswer, context: AnswerContext): Failure;
  readUsage(body: unknown): UsageReading;
}

/** The result that an answer in OpenAI's shape means. Never throws. */
export function resultOf(
  endpoint: Endpoint,
  response: HttpResponse,
  context: AnswerContext,
  readers: ResultReaders,
): Result {
  const answer = parseAnswer(response.body);
  const requestId = requestIdOf(response.headers);
  if (!isSuccess(response.status)) {
    const failure = readers.failureOf(response, answer, context);
    const { usage, raw } = readers.readUsage(answer.json);
    return { ok: false, failure, requestId, body: toEnvelope(failure), usage, rawUsage: raw };
  }
  const problem = problemOf(endpoint, response.status, answer, context);
  const { usage, raw, problems } = readers.readUsage(answer.json);
  if (problem !== null) return { ok: false, failure: problem, requestId, body: null, usage, rawUsage: raw };
  const body = answer.json as Fields;
  const serviceTier = asText(body.service_tier);
  const warnings = usageWarnings(endpoint, raw, problems);
  if (answer.isDamaged) warnings.push('the answer was not valid UTF-8; bad bytes were replaced by U+FFFD');
  warnings.push(...tierWarnings(serviceTier));
  return {
    ok: true,
    status: response.status,
    requestId,
    body: toOneLine(answer.text),
    usage,
    rawUsage: raw,
    servedModel: asText(body.model),
    serviceTier,
    finishReason: finishReasonOf(endpoint, body),
    warnings,
  };
}

/** Whether a status says that the call succeeded. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/** What there is to say of an answer's usage. */
export function usageWarnings(endpoint: Endpoint, raw: object | null, problems: readonly string[]): string[] {
  const warnings = problems.map((text) => `usage: ${text}`);
  if (raw === null && endpoint !== '/v1/moderations') warnings.push('usage: not reported');
  return warnings;
}

/** The result of a call that brought no complete answer. */
export function resultOfCall(error: unknown, context: AnswerContext): Failed {
  const failure = failureOfCall(error, context);
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}

function toEnvelope(failure: Failure): string {
  return JSON.stringify({ error: toErrorBody(failure) });
}

/**
 * A JSON text as one line, otherwise untouched: re-serialising would change numbers that a double cannot hold. Line feeds
 * and returns stand only between tokens of valid JSON, the other three only inside strings.
 */
function toOneLine(json: string): string {
  const whole = json.includes('\n') || json.includes('\r') ? json.replace(/[\n\r]+/g, '') : json;
  return escapeLineSeparators(whole);
}

/** Why a 2xx answer is none; null when it is one. */
function problemOf(endpoint: Endpoint, status: number, answer: ParsedAnswer, context: AnswerContext): Failure | null {
  const { provider } = context;
  if (answer.text.trim() === '') return badResponse(status, `${provider} answered ${status} with an empty body.`);
  if (answer.json === undefined) {
    const isHtml = /^\s*</.test(answer.text);
    const what = isHtml ? 'HTML instead of JSON; is the base URL right?' : 'a body that is not JSON, or was cut off.';
    return badResponse(status, `${provider} answered ${status} with ${what}`);
  }
  if (!isFields(answer.json)) return badResponse(status, `${provider} answered ${status} with JSON that is no object.`);
  if (answer.json.error !== undefined && answer.json.error !== null) {
    return statedError(endpoint, status, answer.json, context);
  }
  const missing = missingMember(endpoint, answer.json);
  if (missing !== null) return badResponse(status, `${provider} answered ${status} without ${missing}.`);
  return endpoint === '/v1/responses'
    ? unfinishedResponse(status, answer.json, context)
    : abortedChoice(status, answer.json, context);
}

/** `{"error": …}` under a 2xx status (OpenRouter, proxies), or a failed response of the Responses API. */
function statedError(endpoint: Endpoint, status: number, body: Fields, context: AnswerContext): Failure {
  const words = readErrorBody(body, context.secrets);
  const failure = badResponse(status, words.message || `${context.provider} answered ${status} with an error.`);
  const code = words.code === null || /^\d+$/.test(words.code) ? failure.code : words.code;
  if (endpoint !== '/v1/responses' || body.status !== 'failed') return { ...failure, code };
  // OpenAI API reference, ResponseError.code: all but these are about the request. No code is taken for the server's fault.
  if (code === 'rate_limit_exceeded') return { ...failure, kind: 'rate_limited', type: 'rate_limit_error', code };
  if (code === 'server_error' || code === 'bad_response') return { ...failure, kind: 'server_error', code };
  return { ...failure, kind: 'invalid_request', type: 'invalid_request_error', code };
}

/** The member that an answer of the endpoint cannot do without, when it is not there. */
function missingMember(endpoint: Endpoint, body: Fields): string | null {
  switch (endpoint) {
    case '/v1/chat/completions':
      return everyItem(body.choices, (choice) => isFields(choice.message)) ? null : 'choices with messages';
    case '/v1/completions':
      return everyItem(body.choices, (choice) => typeof choice.text === 'string') ? null : 'choices with text';
    case '/v1/embeddings':
      return everyItem(body.data, (item) => isEmbedding(item.embedding)) ? null : 'embeddings';
    case '/v1/responses':
      return Array.isArray(body.output) ? null : 'output';
    case '/v1/moderations':
      return everyItem(body.results, () => true) ? null : 'results';
  }
}

function everyItem(list: unknown, isWhole: (item: Fields) => boolean): boolean {
  return Array.isArray(list) && list.length > 0 && list.every((item) => isFields(item) && isWhole(item));
}

/** A list of numbers, or base64 text under `encoding_format: base64`. */
function isEmbedding(value: unknown): boolean {
  return Array.isArray(value) || typeof value === 'string';
}

function finishReasonOf(endpoint: Endpoint, body: Fields): string | null {
  if (endpoint === '/v1/responses') {
    const details = body.incomplete_details;
    const reason = isFields(details) ? details.reason : undefined;
    return asText(reason) ?? asText(body.status);
  }
  const { choices } = body;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isFields(first) ? asText(first.finish_reason) : null;
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** vLLM ends a choice with `abort`, OpenRouter and Mistral with `error`, when the server gave it up: not an answer. */
export function isGivenUp(finishReason: unknown): boolean {
  return finishReason === 'abort' || finishReason === 'error';
}

function abortedChoice(status: number, body: Fields, context: AnswerContext): Failure | null {
  const { choices } = body;
  if (!Array.isArray(choices)) return null;
  if (!choices.some((choice) => isFields(choice) && isGivenUp(choice.finish_reason))) return null;
  const failure = badResponse(status, `${context.provider} gave up the generation before it was complete.`, 'aborted');
  return { ...failure, kind: 'server_error' };
}

function unfinishedResponse(status: number, body: Fields, context: AnswerContext): Failure | null {
  const state = body.status;
  if (state === undefined || state === 'completed' || state === 'incomplete') return null;
  const failure = badResponse(status, `${context.provider} did not complete the response.`, 'incomplete_response');
  return state === 'failed' || state === 'cancelled' ? { ...failure, kind: 'server_error' } : failure;
}
