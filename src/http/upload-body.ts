import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import type { Context as HonoContext } from 'hono';
import { isUpload } from './body.ts';
import type { AppEnv } from './env.ts';

/** The bytes of a body, as they come. */
export interface BodyReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  /** Frees the memory of what was read, of which nothing may be used any more. Safe at any time. */
  release?(): void;
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
/** Given at once at most: what comes later costs its parser and its readers as much as a large piece does. */
const PIECE_BYTES = 256 * 1024;
/**
 * A piece is being gathered, and of those before the parser holds one back and whoever reads the file another: of a ring
 * this large, no byte is written over that somebody has yet to see.
 */
const RING_BYTES = 4 * PIECE_BYTES;

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
    release: () => source.release?.(),
  };
}

function bodyOf(c: HonoContext<AppEnv>): BodyReader | null {
  const incoming = (c.env as NodeBindings | undefined)?.incoming;
  if (incoming?.rawBody !== NO_BYTES) return c.req.raw.body?.getReader() ?? null;
  return new GatheredBody(incoming);
}

/** Bytes that follow each other in the ring, or those of a chunk too large for it. */
interface Piece {
  bytes: Uint8Array;
  from: number;
  to: number;
}

/**
 * The body of a request to Node, in large pieces when it comes fast. Each chunk from the connection has memory of its own
 * outside the heap, which would wait for a collection of all garbage: it is copied here and given back at once. A piece
 * stays until as many others have come as the form's parser and its reader never hold back.
 */
class GatheredBody implements BodyReader {
  readonly #incoming: IncomingMessage;
  readonly #ring = Buffer.allocUnsafeSlow(RING_BYTES);
  /** Where the next chunk goes. */
  #at = 0;
  /** Not read yet, the oldest first. */
  readonly #pieces: Piece[] = [];
  #unread = 0;
  #state: 'unasked' | 'open' | 'ended' = 'unasked';
  #failure: Error | null = null;
  #isReleased = false;
  #wake: () => void = () => undefined;
  #isWaking = false;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  async read(): Promise<{ done: boolean; value?: Uint8Array }> {
    if (this.#state === 'unasked') this.#begin();
    while (this.#pieces.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#state === 'ended') return { done: true };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const { bytes, from, to } = this.#pieces.shift() as Piece;
    this.#unread -= to - from;
    if (this.#unread < PIECE_BYTES && this.#incoming.isPaused()) this.#incoming.resume();
    return { done: false, value: bytes.subarray(from, to) };
  }

  release(): void {
    this.#isReleased = true;
    if (this.#state !== 'open') this.#free();
  }

  #begin(): void {
    this.#state = 'open';
    // The request is not destroyed: its answer may yet be sent on the connection of a body that was not read to its end.
    finished(this.#incoming, { writable: false }, (error) => {
      this.#state = 'ended';
      this.#failure = error ?? null;
      if (this.#isReleased) this.#free();
      this.#wake();
    });
    this.#incoming.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  #free(): void {
    this.#pieces.length = 0;
    if (this.#ring.length > 0) this.#ring.buffer.transfer(0);
  }

  #take(chunk: Buffer): void {
    // Given back, the chunk has no length any more.
    this.#unread += chunk.length;
    if (chunk.length > PIECE_BYTES / 2) this.#pieces.push({ bytes: chunk, from: 0, to: chunk.length });
    else this.#gather(chunk);
    if (this.#unread >= PIECE_BYTES) {
      this.#incoming.pause();
      this.#wake();
    } else this.#wakeSoon();
  }

  /** When all is gathered that has come by now: what takes a piece takes as long for a chunk as for many. */
  #wakeSoon(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#wake();
    });
  }

  #gather(chunk: Buffer): void {
    if (this.#at + chunk.length > RING_BYTES) this.#at = 0;
    const from = this.#at;
    this.#at += chunk.copy(this.#ring, from);
    const last = this.#pieces.at(-1);
    if (last?.bytes === this.#ring && last.to === from && this.#at - last.from <= PIECE_BYTES) last.to = this.#at;
    else this.#pieces.push({ bytes: this.#ring, from, to: this.#at });
    // Memory that it shares with others is not its own to give back.
    if (chunk.buffer.byteLength === chunk.length) (chunk.buffer as ArrayBuffer).transfer(0);
  }
}
