import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApiError } from '../core/api-error.ts';
import type { Deps } from '../ports/deps.ts';
import { ENDPOINTS, type Endpoint } from '../protocol/endpoint.ts';
import type { AppEnv } from './env.ts';

const jsonBodyBytesMax = 1024 ** 2;

/** Paths whose bodies are streamed and bounded by their own handlers. */
const uploadPaths = /^\/v1\/(files|uploads\/[^/]+\/parts)$/;

/** Whether a request's body is a stream that must never be held in memory. */
export function isUpload(path: string): boolean {
  return uploadPaths.test(path);
}

/** Paths whose body is one request to a model, as large as a line of a batch. */
const callPaths = new Map<string, Endpoint>(ENDPOINTS.map((endpoint) => [endpoint, endpoint]));

/** The endpoint that a path calls synchronously; undefined for other paths. */
export function calledEndpoint(path: string): Endpoint | undefined {
  return callPaths.get(path);
}

/** What a body is told that is larger than `most` bytes. */
export function tooLarge(most: number): ApiError {
  return new ApiError(413, `The body is larger than ${most} bytes. Send large inputs as files.`, {
    code: 'request_too_large',
  });
}

/** Calls under other paths, and batches whose requests stand in the body. */
const OTHER_CALLS = /^\/(batching\/v1\/|v1\/messages)/;

function limitTo(maxSize: number): MiddlewareHandler<AppEnv> {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw tooLarge(maxSize);
    },
  });
}

/** Bounds the bodies that are read into memory. 413 beyond, 415 for compressed bodies. */
export function boundBody({ settings }: Pick<Deps, 'settings'>): MiddlewareHandler<AppEnv> {
  const ordinary = limitTo(jsonBodyBytesMax);
  const call = limitTo(settings.maxLineBytes);
  return async (c, next) => {
    const encoding = c.req.header('content-encoding') ?? 'identity';
    if (encoding !== 'identity') {
      throw new ApiError(415, 'Compressed bodies are not taken. Send it without Content-Encoding.', {
        code: 'unsupported_content_encoding',
      });
    }
    if (isUpload(c.req.path)) return next();
    const { path } = c.req;
    const isCall = calledEndpoint(path) !== undefined || OTHER_CALLS.test(path);
    return isCall ? call(c, next) : ordinary(c, next);
  };
}
