import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApiError } from '../core/api-error.ts';
import type { AppEnv } from './env.ts';

const jsonBodyBytesMax = 1024 ** 2;

/** Paths whose bodies are streamed and bounded by their own handlers. */
const uploadPaths = /^\/v1\/(files|uploads\/[^/]+\/parts)$/;

/** Whether a request's body is a stream that must never be held in memory. */
export function isUpload(path: string): boolean {
  return uploadPaths.test(path);
}

const limit = bodyLimit({
  maxSize: jsonBodyBytesMax,
  onError: () => {
    throw new ApiError(413, `The body is larger than ${jsonBodyBytesMax} bytes. Send large inputs as files.`, {
      code: 'request_too_large',
    });
  },
});

/** Bounds the bodies that are read into memory. 413 beyond, 415 for compressed bodies. */
export const boundBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new ApiError(415, 'Compressed bodies are not taken. Send it without Content-Encoding.', {
      code: 'unsupported_content_encoding',
    });
  }
  if (isUpload(c.req.path)) return next();
  return limit(c, next);
};
