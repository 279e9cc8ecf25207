import type { IncomingMessage } from 'node:http';
import type { Context as HonoContext } from 'hono';
import { isUpload } from './body.ts';
import type { AppEnv } from './env.ts';

/** The bytes of a body, as they come. */
export interface BodyReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
}

/** What a form is read from. */
export interface FormSource {
  contentType: string;
  /** What the client declared; 0 when it did not. */
  contentLength: number;
  body: BodyReader | null;
}

/** What Node's adapter gives to the app beside the request. */
interface NodeBindings {
  incoming?: IncomingMessage & { rawBody?: Buffer };
}

const NO_BYTES = Buffer.alloc(0);

/**
 * Keeps an upload's body out of the web stream that Node's adapter would make of it, which copies every chunk: to the
 * adapter the body seems to have been read, and `uploadBody` reads it. To be called before the adapter sees the request.
 */
export function keepUploadBody(request: IncomingMessage & { rawBody?: Buffer }): void {
  const path = request.url?.split('?', 1)[0] ?? '';
  if (request.method === 'POST' && isUpload(path)) request.rawBody = NO_BYTES;
}

/** The form that an upload is. May be asked for once. */
export function uploadForm(c: HonoContext<AppEnv>): FormSource {
  return {
    contentType: c.req.header('content-type') ?? '',
    contentLength: Number(c.req.header('content-length') ?? 0),
    body: uploadBody(c),
  };
}

/** The body of an upload; null when there is none. May be asked for once. */
export function uploadBody(c: HonoContext<AppEnv>): BodyReader | null {
  const source = bodyOf(c);
  const observe = c.get('observeBody');
  if (source === null || observe === undefined) return source;
  return {
    async read() {
      const result = await source.read();
      if (result.value !== undefined) observe(result.value);
      return result;
    },
  };
}

function bodyOf(c: HonoContext<AppEnv>): BodyReader | null {
  const incoming = (c.env as NodeBindings | undefined)?.incoming;
  if (incoming?.rawBody !== NO_BYTES) return c.req.raw.body?.getReader() ?? null;
  // The answer may yet be sent on the connection of a body that was not read to its end.
  const chunks = incoming.iterator({ destroyOnReturn: false });
  return { read: async () => (await chunks.next()) as { done: boolean; value?: Uint8Array } };
}
