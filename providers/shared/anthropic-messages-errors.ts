import { type Failure, type FailureKind, toErrorBody } from '../../src/core/failure.ts';
import type { Failed } from '../contract.ts';
import type { AnswerContext } from './answer.ts';
import { type ErrorWords, readErrorBody } from './error-body.ts';
import { typeOf } from './openai-status.ts';
import { providerNowMs, retryAfterMs } from './retry-after.ts';

type Headers = Readonly<Record<string, string>>;

/** Anthropic's error types (@anthropic-ai/sdk, ErrorType; errors page): what they mean and the status they come with. */
const byType: Readonly<Record<string, { kind: FailureKind; status: number; code: string }>> = {
  invalid_request_error: { kind: 'invalid_request', status: 400, code: 'invalid_request' },
  authentication_error: { kind: 'authentication', status: 401, code: 'invalid_api_key' },
  billing_error: { kind: 'quota_exhausted', status: 402, code: 'insufficient_quota' },
  permission_error: { kind: 'permission', status: 403, code: 'permission_denied' },
  not_found_error: { kind: 'not_found', status: 404, code: 'not_found' },
  conflict_error: { kind: 'server_error', status: 409, code: 'server_error' },
  request_too_large: { kind: 'invalid_request', status: 413, code: 'request_too_large' },
  rate_limit_error: { kind: 'rate_limited', status: 429, code: 'rate_limit_exceeded' },
  api_error: { kind: 'server_error', status: 500, code: 'server_error' },
  timeout_error: { kind: 'timeout', status: 504, code: 'timeout' },
  overloaded_error: { kind: 'overloaded', status: 529, code: 'overloaded' },
};

const typeByStatus: Readonly<Record<number, string>> = {
  ...Object.fromEntries(Object.entries(byType).map(([type, { status }]) => [status, type])),
  408: 'timeout_error',
  503: 'overloaded_error',
};

/** Money is missing, or the owner's own limit is reached; both come as an invalid request. */
const creditPattern = /credit balance is too low|reached your specified (?:workspace )?(?:API )?usage limits/i;
const contextPattern =
  /prompt is too long|exceed(?:s)? (?:the )?context (?:limit|window)|input length and .max_tokens. exceed/i;

/**
 * The failure that an error of the Messages API states: `{type: "error", error: {type, message}}`. `status` is that of the
 * answer, or null for an error inside a batch's results, where the type tells it.
 */
export function failureOfError(
  body: unknown,
  status: number | null,
  headers: Headers,
  context: AnswerContext,
): Failure {
  const words = readErrorBody(body, context.secrets);
  const stated = words.type !== null && Object.hasOwn(byType, words.type) ? words.type : typeOfStatus(status);
  const known = byType[stated] ?? { kind: 'server_error', status: 500, code: 'server_error' };
  const { kind, code } = refine(known, words);
  return {
    kind,
    status: status ?? known.status,
    code,
    message: words.message ?? `${context.provider} answered with status ${status ?? known.status} and did not say why.`,
    param: words.param,
    type: typeOf(kind),
    retryAfterMs: waitOf(headers, status ?? known.status, context.nowMs),
    reachedProvider: true,
  };
}

function typeOfStatus(status: number | null): string {
  if (status === null) return 'api_error';
  return typeByStatus[status] ?? (status >= 400 && status < 500 ? 'invalid_request_error' : 'api_error');
}

function refine(known: { kind: FailureKind; code: string }, words: ErrorWords): { kind: FailureKind; code: string } {
  const message = words.message ?? '';
  if (creditPattern.test(message)) return { kind: 'quota_exhausted', code: 'insufficient_quota' };
  if (known.kind === 'invalid_request' && contextPattern.test(message))
    return { ...known, code: 'context_length_exceeded' };
  if (known.kind === 'not_found' && /^model\b/i.test(message)) return { ...known, code: 'model_not_found' };
  return known;
}

/** `retry-after`, else the reset of the limit that is used up (RFC 3339; Anthropic's rate-limits page). */
function waitOf(headers: Headers, status: number, nowMs: number): number | null {
  const stated = retryAfterMs(headers, status, nowMs);
  if (stated !== null || status !== 429) return stated;
  const theirNowMs = providerNowMs(headers, nowMs);
  const waits = ['requests', 'tokens', 'input-tokens', 'output-tokens']
    .filter((limit) => headers[`anthropic-ratelimit-${limit}-remaining`] === '0')
    .map((limit) => Date.parse(headers[`anthropic-ratelimit-${limit}-reset`] ?? '') - theirNowMs)
    .filter((wait) => Number.isFinite(wait) && wait >= 0);
  return waits.length === 0 ? null : Math.min(Math.max(...waits), 600_000);
}

/** A failed result with the failure in OpenAI's envelope. */
export function failedWith(failure: Failure, requestId: string | null): Failed {
  const body = JSON.stringify({ error: toErrorBody(failure) });
  return { ok: false, failure, requestId, body, usage: null, rawUsage: null };
}
