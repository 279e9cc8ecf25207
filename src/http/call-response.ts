import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { CallAnswer } from '../services/calls/answer.ts';
import { toByteStream } from './byte-stream.ts';
import { STREAM_HEADERS } from './call-headers.ts';
import type { AppEnv } from './env.ts';

/** The answer of a call as a Response. */
export function toResponse(c: Context<AppEnv>, answer: CallAnswer): Response {
  if ('body' in answer) return c.body(answer.body, answer.status as ContentfulStatusCode, answer.headers);
  return c.body(toByteStream(encoded(answer.events)), 200, { ...STREAM_HEADERS, ...answer.headers });
}

/** Events as bytes; leaving early settles them too. */
function encoded(events: AsyncIterableIterator<string>): AsyncIterableIterator<Uint8Array> {
  const encoder = new TextEncoder();
  return {
    async next() {
      const { value, done } = await events.next();
      return done === true ? { value: undefined, done } : { value: encoder.encode(value), done: false };
    },
    async return() {
      await events.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
