import type { Failure } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerContext, ParsedAnswer } from './answer.ts';
import { isFields } from './error-body.ts';
import { failureOf } from './openai-status.ts';

type Fields = Readonly<Record<string, unknown>>;

/** google.rpc.Code as HTTP says it: job errors and rows of an output state the former. */
const httpByCode: Readonly<Record<number, number>> = {
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
};

const httpByWord: ReadonlyMap<string, number> = new Map([
  ['INVALID_ARGUMENT', 400],
  ['FAILED_PRECONDITION', 400],
  ['OUT_OF_RANGE', 400],
  ['UNAUTHENTICATED', 401],
  ['PERMISSION_DENIED', 403],
  ['NOT_FOUND', 404],
  ['RESOURCE_EXHAUSTED', 429],
  ['CANCELLED', 499],
  ['UNIMPLEMENTED', 501],
  ['INTERNAL', 500],
  ['UNAVAILABLE', 503],
  ['DEADLINE_EXCEEDED', 504],
]);

/** The failure that an error answer of any Google API states. */
export function failureOfGoogle(response: HttpResponse, answer: ParsedAnswer, context: AnswerContext): Failure {
  const failure = failureOf(response, answer, context);
  const error = errorOf(answer.json);
  const retryAfterMs = failure.retryAfterMs ?? retryDelayMs(error.details);
  const message = withoutResources(failure.message);
  if (/input token count.*exceeds|exceeds the maximum number of tokens/i.test(message)) {
    return { ...failure, message, code: 'context_length_exceeded' };
  }
  // A project that never used the service has no agent yet; Google makes it on the first call.
  if (error.status === 'FAILED_PRECONDITION' && /service agents? (?:are|is) being provisioned/i.test(message)) {
    return {
      ...failure,
      message,
      kind: 'server_error',
      code: 'service_agent_not_ready',
      type: 'server_error',
      retryAfterMs,
    };
  }
  return { ...failure, message, retryAfterMs };
}

/** Names of projects and accounts are the operator's, not for tenants to see. */
function withoutResources(message: string): string {
  return message
    .replace(/[\w.-]+@[\w.-]+\.gserviceaccount\.com\b/g, '[account]')
    .replace(/\bprojects\/[\w.:-]+/g, 'projects/[redacted]')
    .replace(/\bproject(?: number)?[ :=#]+[`'"]?\d{6,}[`'"]?/gi, 'project [redacted]');
}

/** The failure that `{code, message}` states (google.rpc.Status), as in a job or a row; null when it states nothing. */
export function failureOfStatus(status: unknown, context: AnswerContext): Failure | null {
  if (!isFields(status) || Object.keys(status).length === 0) return null;
  const error = errorOf(status);
  const http = httpOf(error);
  const answer: ParsedAnswer = { text: '', json: { error: { message: error.message } }, isDamaged: false };
  const failure = failureOfGoogle({ status: http, headers: {}, body: new Uint8Array() }, answer, context);
  return { ...failure, retryAfterMs: failure.retryAfterMs ?? retryDelayMs(error.details) };
}

function httpOf(error: Fields): number {
  const { code, status } = error;
  const word = typeof status === 'string' ? httpByWord.get(status) : undefined;
  if (word !== undefined) return word;
  const number = typeof code === 'string' && /^\d{1,3}$/.test(code) ? Number(code) : code;
  if (typeof number === 'string') return httpByWord.get(number) ?? 500;
  if (typeof number !== 'number') return 500;
  return number >= 400 && number <= 599 ? number : (httpByCode[number] ?? 500);
}

/** The failure that a status as text states, as in a row of an output: JSON, JSON behind a few words, or words alone. */
export function failureOfStatusText(text: string, context: AnswerContext): Failure {
  const start = text.indexOf('{');
  const stated = start < 0 ? null : failureOfStatus(parse(text.slice(start)), context);
  if (stated !== null) return stated;
  const word = [...httpByWord.keys()].find((one) => text.includes(one));
  const code = /\b([45]\d\d)\b/.exec(text)?.[1];
  const http = code === undefined ? wordsOf(text) : Number(code);
  const status = { code: word === undefined ? http : httpByWord.get(word), message: text };
  return failureOfStatus(status, context) as Failure;
}

function wordsOf(text: string): number {
  if (/^bad request/i.test(text)) return 400;
  return /quota|resource (?:has been )?exhausted|too many requests/i.test(text) ? 429 : 500;
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return errorOf(value);
  } catch {
    return null;
  }
}

/** The error object of `{error: {…}}`, of a list with one in it, or the object itself. */
function errorOf(value: unknown): Fields {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  if (!isFields(one)) return {};
  return isFields(one.error) ? one.error : one;
}

/** google.rpc.RetryInfo: a duration such as `12.5s`. */
function retryDelayMs(details: unknown): number | null {
  if (!Array.isArray(details)) return null;
  for (const detail of details) {
    const delay = isFields(detail) ? detail.retryDelay : undefined;
    const [, seconds] = typeof delay === 'string' ? (/^(\d+(?:\.\d+)?)s$/.exec(delay) ?? []) : [];
    if (seconds !== undefined) return Math.min(Math.ceil(Number(seconds) * 1000), 600_000);
  }
  return null;
}
