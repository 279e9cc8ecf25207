import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../core/api-error.ts';
import type { Deps } from '../ports/deps.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Endpoint } from '../protocol/endpoint.ts';
import type { CallAnswer } from '../services/calls/answer.ts';
import type { Calls } from '../services/calls/calls.ts';
import type { Authenticator } from '../services/keys/authenticate.ts';
import { presentedSecret } from './auth.ts';
import { calledEndpoint, tooLarge } from './body.ts';
import { callHeaders, STREAM_HEADERS } from './call-headers.ts';
import { errorHeaders, toApiError } from './errors.ts';
import { countRequest, DATA_HEADERS, requestIdOf, SECURITY_HEADERS } from './frame.ts';

export interface CallParts {
  authenticator: Authenticator;
  calls: Calls;
  metrics: Metrics;
}

/** True when it took the request; false leaves it to the app. */
export type CallListener = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Synchronous calls straight from node:http, past the app's router and its Request and Response objects, which cost more
 * than the call itself. What decides is the same: keys, limits, calls and errors are the app's own. Whatever needs more
 * (an Idempotency-Key, a compressed body, a session in place of a key) is left to the app.
 */
export function createCallListener(deps: Deps, parts: CallParts): CallListener {
  return (request, response) => {
    const endpoint = request.method === 'POST' ? calledEndpoint(request.url ?? '') : undefined;
    if (endpoint === undefined) return false;
    const { headers } = request;
    if (headers['idempotency-key'] !== undefined || headers['content-encoding'] !== undefined) return false;
    const header = (name: string): string | undefined => {
      const value = headers[name];
      return typeof value === 'string' ? value : value?.join(', ');
    };
    const secret = presentedSecret(header);
    if (secret === null) return false;
    void new Exchange(deps, parts, request, response, endpoint, header).run(secret);
    return true;
  };
}

const emptyBody = new Uint8Array(0);

/** One call and its answer on the wire. Never rejects. */
class Exchange {
  private readonly deps: Deps;
  private readonly parts: CallParts;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly endpoint: Endpoint;
  private readonly header: (name: string) => string | undefined;
  private readonly requestId: string;
  private readonly startedAt: number;
  private readonly client = new AbortController();
  /** Set while the body is awaited. */
  private cutOff: (() => void) | null = null;

  constructor(
    deps: Deps,
    parts: CallParts,
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: Endpoint,
    header: (name: string) => string | undefined,
  ) {
    this.deps = deps;
    this.parts = parts;
    this.request = request;
    this.response = response;
    this.endpoint = endpoint;
    this.header = header;
    this.startedAt = deps.clock.micros();
    this.requestId = requestIdOf(deps, header('x-request-id'));
    response.on('close', () => {
      if (response.writableFinished) return;
      this.client.abort();
      this.cutOff?.();
    });
  }

  async run(secret: string): Promise<void> {
    try {
      const address = this.request.socket.remoteAddress ?? 'unknown';
      const actor = await this.parts.authenticator.authenticate(secret, address);
      const raw = await this.readBody();
      const { endpoint, header, requestId } = this;
      const headers = callHeaders(header);
      const { signal } = this.client;
      await this.send(await this.parts.calls.answer({ actor, endpoint, raw, headers, requestId, signal }));
    } catch (error) {
      this.refuse(error);
    }
  }

  private readBody(): Promise<Uint8Array> {
    const most = this.deps.settings.maxLineBytes;
    return new Promise((resolve, reject) => {
      let first: Buffer | null = null;
      const chunks: Buffer[] = [];
      let bytes = 0;
      this.request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > most) {
          this.request.pause();
          reject(tooLarge(most));
        } else if (first === null) first = chunk;
        else chunks.push(chunk);
      });
      this.request.on('end', () => {
        this.cutOff = null;
        resolve(first === null ? emptyBody : chunks.length === 0 ? first : Buffer.concat([first, ...chunks]));
      });
      this.cutOff = () => reject(new ApiError(400, 'The body was cut off.', { code: 'invalid_body' }));
      // The client may have left while its key was looked up.
      if (this.request.destroyed) this.cutOff();
    });
  }

  private async send(answer: CallAnswer): Promise<void> {
    if ('body' in answer) {
      this.writeHead(answer.status, { ...answer.headers, 'content-length': String(Buffer.byteLength(answer.body)) });
      this.response.end(answer.body);
      return;
    }
    this.writeHead(200, { ...STREAM_HEADERS, ...answer.headers });
    for await (const text of answer.events) {
      if (this.client.signal.aborted) break;
      if (!this.response.write(text)) await this.drained();
    }
    this.response.end();
  }

  /** Resolves when the client has taken what was written, or has left. */
  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.response.off('drain', go);
        this.response.off('close', go);
        resolve();
      };
      this.response.on('drain', go);
      this.response.on('close', go);
    });
  }

  private refuse(error: unknown): void {
    const request = { requestId: this.requestId, method: 'POST', path: this.endpoint };
    const known = toApiError(this.deps, error, request, this.client.signal.aborted);
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    const body = JSON.stringify(known.toEnvelope());
    // A body that was not read to its end stands in the way of the connection's next request.
    const close = this.request.complete ? {} : { connection: 'close' };
    this.writeHead(known.status, {
      'content-type': 'application/json',
      ...errorHeaders(known),
      ...close,
      'content-length': String(Buffer.byteLength(body)),
    });
    this.response.end(body);
  }

  private writeHead(status: number, headers: Record<string, string>): void {
    const flat = ['x-request-id', this.requestId, ...FIXED_HEADERS];
    for (const name in headers) if (name !== 'cache-control') flat.push(name, headers[name] ?? '');
    flat.push('cache-control', headers['cache-control'] ?? DATA_HEADERS['cache-control'] ?? 'no-store');
    this.response.writeHead(status, flat);
    const labels = { method: 'POST', route: this.endpoint };
    const seconds = (this.deps.clock.micros() - this.startedAt) / 1e6;
    countRequest(this.parts.metrics, labels, status, seconds);
    this.deps.log.debug({ requestId: this.requestId, ...labels, status, seconds }, 'request answered');
  }
}

const FIXED_HEADERS = Object.entries({ ...SECURITY_HEADERS, ...DATA_HEADERS })
  .filter(([name]) => name !== 'cache-control')
  .flat();
