import {
  type HttpClient,
  HttpFailure,
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
} from '../../src/ports/http-client.ts';

/** The HttpClient for runtimes that have `fetch` only (Cloudflare Workers). The platform owns the connections. */
export function createFetchHttpClient(): HttpClient {
  const closing = new AbortController();
  return {
    async request(request) {
      if (closing.signal.aborted || request.signal?.aborted) {
        throw new HttpFailure('aborted', false, 'the call was aborted');
      }
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(), request.timeoutMs);
      const signals = [timeout.signal, closing.signal, ...(request.signal === undefined ? [] : [request.signal])];
      try {
        return await exchange(request, AbortSignal.any(signals));
      } catch (error) {
        throw toFailure(error, timeout.signal.aborted, signals.some(isAborted));
      } finally {
        clearTimeout(timer);
      }
    },
    stream: (request) => openStream(request, closing.signal),
    async close() {
      closing.abort();
    },
  };
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const response = await send(request, signal);
  return {
    status: response.status,
    headers: headersOf(response),
    body: await readBody(response, request.maxResponseBytes),
  };
}

function send(request: HttpRequest, signal: AbortSignal): Promise<Response> {
  return fetch(request.url, {
    method: request.method,
    headers: request.headers,
    // The types of the two runtimes disagree on byte arrays; the values do not.
    body: (request.body ?? null) as BodyInit | null,
    redirect: 'manual',
    signal,
  });
}

function headersOf(response: Response): Record<string, string> {
  const headers: Record<string, string> = {};
  response.headers.forEach((value, name) => {
    headers[name] = value;
  });
  return headers;
}

/** Bounds the wait for the head, and then for each piece. */
class Patience {
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  renew(): void {
    this.end();
    this.#timer = setTimeout(() => this.#controller.abort(), this.#timeoutMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

async function openStream(request: HttpRequest, closing: AbortSignal): Promise<HttpStream> {
  const patience = new Patience(request.timeoutMs);
  const signals = [patience.signal, closing, ...(request.signal === undefined ? [] : [request.signal])];
  const explain = (error: unknown) => toFailure(error, patience.signal.aborted, signals.some(isAborted));
  try {
    const response = await send(request, AbortSignal.any(signals));
    return {
      status: response.status,
      headers: headersOf(response),
      body: pieces(response, request, patience, explain),
    };
  } catch (error) {
    patience.end();
    throw explain(error);
  }
}

async function* pieces(
  response: Response,
  { maxResponseBytes }: HttpRequest,
  patience: Patience,
  explain: (error: unknown) => HttpFailure,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      patience.renew();
      bytes += piece.length;
      if (bytes > maxResponseBytes) {
        throw new HttpFailure('too_large', true, `the answer is larger than ${maxResponseBytes} bytes`);
      }
      yield piece;
    }
  } catch (error) {
    throw explain(error);
  } finally {
    patience.end();
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop by throwing cancels the stream.
    if (bytes > maxBytes) throw new HttpFailure('too_large', true, `the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  if (chunks.length === 1 && chunks[0] !== undefined) return chunks[0];
  const body = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}

/** Codes with which Node.js says that no connection came about; other runtimes give none, so the request may have arrived. */
const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Node.js's codes for a certificate that is not taken, and for a server that does not speak TLS: nothing is sent before that. */
const neverTrusted =
  /^(CERT_\w+|CRL_\w+|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT_\w+|ERR_SSL_WRONG_VERSION_NUMBER)$/;

/** Whether an error of this code came before anything was sent. */
export function isNeverSent(code: string): boolean {
  return neverConnected.has(code) || neverTrusted.test(code);
}

/** Why a `fetch` gave no complete answer. */
export function toFailure(error: unknown, isTimeout: boolean, isAbort: boolean): HttpFailure {
  if (error instanceof HttpFailure) return error;
  if (isTimeout) return new HttpFailure('timeout', true, 'no complete answer in time');
  if (isAbort) return new HttpFailure('aborted', true, 'the call was aborted');
  const code = codeOf(error);
  if (isNeverSent(code)) return new HttpFailure('connect', false, `no connection (${code})`);
  const suffix = code === '' ? '' : ` (${code})`;
  return new HttpFailure('reset', true, `the connection broke before the answer was complete${suffix}`);
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : '';
}

/**
 * No redirect is followed, as it would carry the credential along. Node's fetch keeps a second copy of a streamed body, for redirects that may come, unless they are errors and there is no
 * window (undici, `httpNetworkOrCacheFetch`): of a body of 250 MB that is all of it. workerd keeps none, and knows no errors.
 */
export function redirectPolicy({ body }: RequestInit): RequestInit {
  const isWorkerd = globalThis.navigator?.userAgent === 'Cloudflare-Workers';
  if (!(body instanceof ReadableStream) || isWorkerd) return { redirect: 'manual' };
  return { redirect: 'error', window: null } as RequestInit;
}
