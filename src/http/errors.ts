import type { Hook } from '@hono/zod-openapi';
import type { Context, ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { z } from 'zod';
import { ApiError } from '../core/api-error.ts';
import { invalidRequest } from '../core/invalid-request.ts';
import { messagesError } from '../core/messages-answer.ts';
import { isNoSpace } from '../core/no-space.ts';
import type { Deps } from '../ports/deps.ts';
import type { AppEnv } from './env.ts';
import type { RouteTable } from './route-table.ts';

const shownPathCharacters = 200;
const FULL_RETRY_SECONDS = 30;

/** Turns what a route's schema refused into OpenAI's error. */
export const refuseInvalid: Hook<unknown, AppEnv, string, unknown> = (result) => {
  if (result.success) return;
  // The hook is given what was parsed; its type leaves it out for failures.
  const { data } = result as { data?: unknown };
  throw invalidRequest(result.error as z.ZodError, data);
};

/** Every error leaves in the envelope of its path's API; one we did not foresee says no more than its request id. */
export function handleError(deps: Pick<Deps, 'log'>): ErrorHandler<AppEnv> {
  return (error, c) => {
    if (error instanceof HTTPException) return answer(c, fromHttpException(error));
    const { method, path, raw } = c.req;
    return answer(c, toApiError(deps, error, { requestId: c.get('requestId'), method, path }, raw.signal.aborted));
  };
}

/** The error a client sees: itself where it was made for clients, else one that names the request only. */
export function toApiError(
  deps: Pick<Deps, 'log'>,
  error: unknown,
  request: { requestId: string; method: string; path: string },
  clientLeft: boolean,
): ApiError {
  if (error instanceof ApiError) return error;
  const fields = { ...request, err: error };
  if (clientLeft) deps.log.debug(fields, 'the client left before the answer');
  else deps.log.error(fields, 'request failed');
  if (isNoSpace(error)) {
    const message = 'The disk of this server is full. Try again when its operator has made room.';
    return new ApiError(503, message, { code: 'storage_full', retryAfterSeconds: FULL_RETRY_SECONDS });
  }
  const report = `if it stays so, report request ${request.requestId}.`;
  return new ApiError(500, `The server failed at this request. Try again; ${report}`);
}

/** The headers that an error brings along. */
export function errorHeaders(error: ApiError): Record<string, string> {
  return {
    ...error.headers,
    ...(error.retryAfterSeconds !== null && { 'retry-after': String(error.retryAfterSeconds) }),
    ...(error.status === 401 && { 'www-authenticate': 'Bearer' }),
  };
}

/** Unknown paths are 404, known paths with another method 405 with `Allow`. */
export function handleNotFound(table: RouteTable): NotFoundHandler<AppEnv> {
  return (c) => {
    const { method, path } = c.req;
    const shown = `${method} ${path.slice(0, shownPathCharacters)}`;
    const allowed = table.methods(path);
    if (allowed.length > 0) {
      c.header('allow', allowed.join(', '));
      const message = `Method not allowed (${shown}). This path answers ${allowed.join(', ')}.`;
      return answer(c, new ApiError(405, message, { code: 'method_not_allowed' }));
    }
    return answer(c, new ApiError(404, `Unknown URL (${shown}). ${hintFor(path, table)}`, { code: 'unknown_url' }));
  };
}

function hintFor(path: string, table: RouteTable): string {
  if (table.methods(`/v1${path}`).length > 0) return 'The base URL of this API ends in /v1.';
  if (path.startsWith('/v1/v1/')) return 'The base URL of this API ends in one /v1; here it stands twice.';
  // A server on Node.js answers these itself.
  if (/^\/dashboard(\/|$)/.test(path)) return 'Only servers on Node.js have the dashboard, not those on Workers.';
  return 'See /docs for the paths of this server.';
}

/** Under these paths errors are in Anthropic's envelope, whose SDKs read them. */
export function isMessagesPath(path: string): boolean {
  return path === '/v1/messages' || path.startsWith('/v1/messages/');
}

function answer(c: Context<AppEnv>, error: ApiError): Response {
  if (isMessagesPath(c.req.path)) {
    const body = messagesError(error.status, error.message, c.get('requestId'));
    return c.json(body, error.status, errorHeaders(error));
  }
  return c.json(error.toEnvelope(), error.status, errorHeaders(error));
}

/** Hono's own refusals: a body that does not parse, or of a type the route does not take. */
function fromHttpException(error: HTTPException): ApiError {
  if (error.status === 415) {
    return new ApiError(415, 'The body has a type this path does not take. Set Content-Type to application/json.', {
      code: 'unsupported_media_type',
    });
  }
  const known = ([413, 404, 408] as const).find((status) => status === error.status);
  if (known !== undefined) return new ApiError(known, error.message);
  const message = error.message.startsWith('Malformed JSON')
    ? 'The body is not valid JSON. Check it with a JSON parser and send it again.'
    : error.message;
  return new ApiError(400, message, { code: 'invalid_body' });
}
