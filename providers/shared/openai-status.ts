import type { Failure, FailureKind } from '../../src/core/failure.ts';
import { HttpFailure, type HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerContext, ParsedAnswer } from './answer.ts';
import { type ErrorWords, readErrorBody } from './error-body.ts';
import { redact } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';

/** Money is missing, not patience: OpenAI's error-code guide; `access_terminated` and balance words of other services. */
const quotaCodes: ReadonlySet<string | null> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'insufficient_balance',
  'insufficient_credits',
  'access_terminated',
]);

const overloadWords: ReadonlySet<string | null> = new Set(['overloaded', 'overloaded_error', 'engine_overloaded']);

/** Wordings for a prompt that does not fit: OpenAI and vLLM, SGLang, llama.cpp, TGI, others. */
const contextPattern =
  /maximum context length|context (?:length|window|size)|maximum model length|prompt is too long|input is too long|must have less than \d+ tokens/i;

const kindByStatus: Readonly<Record<number, FailureKind>> = {
  400: 'invalid_request',
  401: 'authentication',
  402: 'quota_exhausted',
  403: 'permission',
  404: 'not_found',
  405: 'unsupported',
  406: 'invalid_request',
  408: 'timeout',
  // A lock conflict (openai-node retries it), never a state of the request itself.
  409: 'server_error',
  410: 'not_found',
  411: 'invalid_request',
  413: 'invalid_request',
  414: 'invalid_request',
  415: 'invalid_request',
  422: 'invalid_request',
  // text-generation-inference: the generation failed (router/src/server.rs).
  424: 'server_error',
  425: 'server_error',
  429: 'rate_limited',
  431: 'invalid_request',
  451: 'permission',
  // Groq: capacity of the flex tier is used up.
  498: 'overloaded',
  // A proxy lost patience or thought that we had.
  499: 'server_error',
  501: 'unsupported',
  503: 'overloaded',
  504: 'timeout',
  // Cloudflare: the origin took too long.
  524: 'timeout',
  529: 'overloaded',
};

const codeByKind: Readonly<Record<FailureKind, string>> = {
  invalid_request: 'invalid_request',
  unsupported: 'unsupported',
  authentication: 'invalid_api_key',
  permission: 'permission_denied',
  not_found: 'not_found',
  quota_exhausted: 'insufficient_quota',
  rate_limited: 'rate_limit_exceeded',
  overloaded: 'overloaded',
  quota_full: 'quota_full',
  server_error: 'server_error',
  timeout: 'timeout',
  connection: 'connection_error',
  bad_response: 'bad_response',
  cancelled: 'cancelled',
  expired: 'expired',
  interrupted: 'interrupted',
};

/**
 * A 403 for what a request says (a moderated model's: OpenRouter's error guide; an object of Google's storage that it
 * names) or for where it comes from (OpenAI's error-code guide), and not for the account's rights.
 */
const ofRequestPattern =
  /flagged|moderat|content[ _-]?(?:policy|filter|management)|country|territory|storage\.objects|gs:\/\//i;

/** The failure that an answer with a status other than 2xx states. */
export function failureOf(response: HttpResponse, answer: ParsedAnswer, context: AnswerContext): Failure {
  const { status, headers } = response;
  const words = readErrorBody(answer.json, context.secrets);
  const kind = kindOf(status, words);
  const isRedirect = status >= 300 && status < 400;
  return {
    kind,
    status,
    code: isRedirect ? 'redirect_refused' : codeOf(kind, status, words),
    message: isRedirect ? redirectMessage(status, context) : messageOf(status, words, answer, response, context),
    param: words.param,
    type: words.type ?? typeOf(kind),
    retryAfterMs: retryAfterMs(headers, status, context.nowMs),
    ...(kind === 'permission' && isOfRequest(status, words) && { ofRequest: true }),
    reachedProvider: true,
  };
}

function kindOf(status: number, words: ErrorWords): FailureKind {
  if (status >= 400 && status < 500 && isQuota(words)) return 'quota_exhausted';
  if (status === 429 && (overloadWords.has(words.type) || overloadWords.has(words.code))) return 'overloaded';
  if (status === 429 && isTooLarge(words)) return 'invalid_request';
  const known = kindByStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return 'server_error';
  return status >= 400 ? 'invalid_request' : 'bad_response';
}

function isOfRequest(status: number, { code, type, message }: ErrorWords): boolean {
  return status === 451 || ofRequestPattern.test([code, type, message].join(' '));
}

function isQuota(words: ErrorWords): boolean {
  return isMoneyMissing(words.code) || isMoneyMissing(words.type);
}

/** True of a code or type that says that the account has no money left. */
export function isMoneyMissing(word: string | null): boolean {
  return quotaCodes.has(word);
}

/** OpenAI answers 429 also to a single request that exceeds the whole minute's tokens: waiting cannot help it. */
function isTooLarge(words: ErrorWords): boolean {
  return words.message?.startsWith('Request too large') === true;
}

function codeOf(kind: FailureKind, status: number, words: ErrorWords): string {
  if (kind === 'quota_exhausted') return quotaCodes.has(words.code) && words.code ? words.code : codeByKind[kind];
  if (kind === 'invalid_request' && contextPattern.test(words.message ?? '')) return 'context_length_exceeded';
  if (status === 413 || (status === 429 && kind === 'invalid_request')) return 'request_too_large';
  // vLLM, llama.cpp and Azure repeat the HTTP status as the code, which tells a program nothing new.
  if (words.code !== null && !/^\d+$/.test(words.code)) return words.code;
  if (kind === 'not_found' && isAboutModel(words)) return 'model_not_found';
  return codeByKind[kind];
}

function isAboutModel(words: ErrorWords): boolean {
  return words.param === 'model' || /\bmodel\b.*(?:not exist|not found|unknown)/i.test(words.message ?? '');
}

function messageOf(
  status: number,
  words: ErrorWords,
  answer: ParsedAnswer,
  response: HttpResponse,
  context: AnswerContext,
): string {
  const isPlain = response.headers['content-type']?.startsWith('text/plain') === true;
  const said = words.message ?? (isPlain && answer.json === undefined ? redact(answer.text, context.secrets) : '');
  return said === '' ? `${context.provider} answered with status ${status} and did not say why.` : said;
}

function redirectMessage(status: number, context: AnswerContext): string {
  return `${context.provider} answered with a redirect (${status}), which is not followed. Put the final address into its config.`;
}

/** OpenAI's `type` for a failure that states none. */
export function typeOf(kind: FailureKind): string {
  switch (kind) {
    case 'invalid_request':
    case 'unsupported':
    case 'authentication':
    case 'not_found':
      return 'invalid_request_error';
    case 'permission':
      return 'permission_error';
    case 'quota_exhausted':
      return 'insufficient_quota';
    case 'rate_limited':
    case 'quota_full':
      return 'rate_limit_error';
    case 'timeout':
      return 'timeout_error';
    case 'cancelled':
    case 'expired':
    case 'interrupted':
      return 'request_error';
    case 'overloaded':
    case 'server_error':
    case 'connection':
    case 'bad_response':
      return 'server_error';
  }
}

/** The failure of a call that brought no complete answer. */
export function failureOfCall(error: unknown, context: AnswerContext): Failure {
  const failure = error instanceof HttpFailure ? error : new HttpFailure('reset', true, 'the call failed unexpectedly');
  const kind = kindOfCall(failure);
  return {
    kind,
    status: null,
    code: failure.kind === 'too_large' ? 'response_too_large' : codeByKind[kind],
    message: `${context.provider}: ${redact(failure.message, context.secrets)}.`,
    param: null,
    type: typeOf(kind),
    retryAfterMs: null,
    reachedProvider: failure.reached,
  };
}

function kindOfCall(failure: HttpFailure): FailureKind {
  switch (failure.kind) {
    case 'connect':
    case 'reset':
      return 'connection';
    case 'timeout':
      return 'timeout';
    case 'aborted':
      return 'interrupted';
    case 'too_large':
      return 'bad_response';
  }
}

/** A 2xx answer that is not one. */
export function badResponse(status: number, message: string, code = 'bad_response'): Failure {
  return {
    kind: 'bad_response',
    status,
    code,
    message,
    param: null,
    type: 'server_error',
    retryAfterMs: null,
    reachedProvider: true,
  };
}
