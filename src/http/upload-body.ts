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
 * The parser holds back at most one chunk (64 KB) beyond those that its file stream queues (64 KB), and whoever reads the
 * file one more: of a ring this large, no byte is written over that somebody has yet to see.
 */
const KEPT_BYTES = 1024 * 1024;

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
  const kept = new KeptBytes();
  return {
    async read() {
      const { done, value } = (await chunks.next()) as { done: boolean; value?: Buffer };
      return { done, value: value === undefined ? undefined : kept.take(value) };
    },
  };
}

/**
 * The last bytes of a body. Each chunk from the connection has memory of its own outside the heap, which would wait for a
 * collection of all garbage: it is copied here and given back at once.
 */
class KeptBytes {
  readonly #ring = Buffer.allocUnsafeSlow(KEPT_BYTES);
  #at = 0;

  /** The bytes of `chunk`, which stay until as many others have come as the form's parser never holds back. */
  take(chunk: Buffer): Uint8Array {
    if (chunk.length > KEPT_BYTES / 8) return chunk;
    if (this.#at + chunk.length > KEPT_BYTES) this.#at = 0;
    const bytes = this.#ring.subarray(this.#at, this.#at + chunk.length);
    bytes.set(chunk);
    this.#at += chunk.length;
    // Memory that it shares with others is not its own to give back.
    if (chunk.buffer.byteLength === chunk.length) (chunk.buffer as ArrayBuffer).transfer(0);
    return bytes;
  }
}
