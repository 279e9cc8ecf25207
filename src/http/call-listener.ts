import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError } from '../core/api-error.ts';
import type { Actor, Deps } from '../ports/deps.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Endpoint } from '../protocol/endpoint.ts';
import type { CallAnswer, StreamedAnswer, WholeAnswer } from '../services/calls/answer.ts';
import type { Calls } from '../services/calls/calls.ts';
import type { Authenticator, Presented } from '../services/keys/authenticate.ts';
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
  const clients = new Clients();
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
    const client = clients.of(request.socket);
    void new Exchange(deps, parts, { request, response, endpoint, header, client }).run(secret);
    return true;
  };
}

/** Longer bodies are written as the bytes that they are. */
const LATIN1_MAX = 64 * 1024;

const emptyBody = new Uint8Array(0);

/** Who is at the other end of a connection, for all of its calls. */
interface Client {
  readonly presented: Presented;
  /** Aborts when the connection closes: its calls leave together. */
  readonly signal: AbortSignal;
}

class Clients {
  private readonly known = new WeakMap<Socket, Client>();

  of(socket: Socket): Client {
    const known = this.known.get(socket);
    if (known !== undefined) return known;
    const departure = new AbortController();
    if (socket.destroyed) departure.abort();
    else socket.once('close', () => departure.abort());
    const client = { presented: { secret: '', hash: '' }, signal: departure.signal };
    this.known.set(socket, client);
    return client;
  }
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  endpoint: Endpoint;
  header: (name: string) => string | undefined;
  client: Client;
}

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
  private readonly client: Client;

  constructor(deps: Deps, parts: CallParts, { request, response, endpoint, header, client }: Asked) {
    this.deps = deps;
    this.parts = parts;
    this.request = request;
    this.response = response;
    this.endpoint = endpoint;
    this.header = header;
    this.client = client;
    this.startedAt = deps.clock.micros();
    this.requestId = requestIdOf(deps, header('x-request-id'));
  }

  async run(secret: string): Promise<void> {
    try {
      const { authenticator, calls } = this.parts;
      const actor = authenticator.recall(secret, this.client.presented) ?? (await this.authenticate(secret));
      const raw = await this.readBody();
      const { endpoint, header, requestId } = this;
      const { signal } = this.client;
      const headers = callHeaders(header);
      const answer: CallAnswer = await calls.answer({ actor, endpoint, raw, headers, requestId, signal });
      if ('body' in answer) this.send(answer);
      else await this.stream(answer);
    } catch (error) {
      this.refuse(error);
    }
  }

  private authenticate(secret: string): Promise<Actor> {
    return this.parts.authenticator.authenticate(secret, this.request.socket.remoteAddress ?? 'unknown');
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
      let isWhole = false;
      this.request.on('end', () => {
        isWhole = true;
        resolve(first === null ? emptyBody : chunks.length === 0 ? first : Buffer.concat([first, ...chunks]));
      });
      const cutOff = (): void => {
        if (!isWhole) reject(new ApiError(400, 'The body was cut off.', { code: 'invalid_body' }));
      };
      // The client may have left while its key was looked up.
      if (this.request.destroyed) cutOff();
      else this.request.on('close', cutOff);
    });
  }

  private send(answer: WholeAnswer): void {
    const { status, headers } = answer;
    const bytes = answer.bytes ?? Buffer.from(answer.body);
    this.writeHead(status, headers, bytes.length);
    if (bytes.length > LATIN1_MAX) this.response.end(bytes);
    // Text goes out in one piece with the head, and as Latin-1 every byte stays what it is.
    else this.response.end(latin1Of(bytes), 'latin1');
    this.count(status);
  }

  private async stream({ headers, events }: StreamedAnswer): Promise<void> {
    this.writeHead(200, { ...STREAM_HEADERS, ...headers });
    this.count(200);
    for await (const text of events) {
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
    const headers = { 'content-type': 'application/json', ...errorHeaders(known), ...close };
    this.writeHead(known.status, headers, Buffer.byteLength(body));
    this.response.end(body);
    this.count(known.status);
  }

  /** `length`: of the body in bytes; absent where it is not known yet. */
  private writeHead(status: number, headers: Record<string, string>, length?: number): void {
    const flat = FIXED_HEADERS.slice();
    flat.push('x-request-id', this.requestId);
    for (const name in headers) if (name !== 'cache-control') flat.push(name, headers[name] ?? '');
    flat.push('cache-control', headers['cache-control'] ?? DATA_HEADERS['cache-control'] ?? 'no-store');
    if (length !== undefined) flat.push('content-length', String(length));
    this.response.writeHead(status, flat);
  }

  /** Counts the request, of which the head has been given: nobody waits for that any more. */
  private count(status: number): void {
    const labels = { method: 'POST', route: this.endpoint };
    const seconds = (this.deps.clock.micros() - this.startedAt) / 1e6;
    countRequest(this.parts.metrics, labels, status, seconds);
    this.deps.log.debug({ requestId: this.requestId, ...labels, status, seconds }, 'request answered');
  }
}

function latin1Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

const FIXED_HEADERS = Object.entries({ ...SECURITY_HEADERS, ...DATA_HEADERS })
  .filter(([name]) => name !== 'cache-control')
  .flat();
