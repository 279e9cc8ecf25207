import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import { calledEndpoint, tooLarge } from '../body.ts';
import { unknownOwnHeader } from '../own-headers.ts';
import { askedCall, type CallParts, type Carrier, type Client, Exchange, FIXED_HEADERS } from './exchange.ts';
import { LATIN1_MAX, latin1Of } from './latin1.ts';

/** True when it took the request; false leaves it to the app. */
export type CallListener = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Synchronous calls straight from node:http, past the app's router and its Request and Response objects, which cost more
 * than the call itself. Most come by call-front.ts, which costs less still; here are the others: large bodies, bodies in
 * chunks, connections that also carry other requests.
 */
export function createCallListener(deps: Deps, parts: CallParts): CallListener {
  const clients = new Clients();
  return (request, response) => {
    const endpoint = request.method === 'POST' ? calledEndpoint(request.url ?? '') : undefined;
    if (endpoint === undefined) return false;
    const { headers } = request;
    if (unknownOwnHeader(Object.keys(headers)) !== undefined) return false;
    const asked = askedCall(deps, endpoint, (name) => {
      const value = headers[name];
      return typeof value === 'string' ? value : value?.join(', ');
    });
    if (asked === null) return false;
    const client = clients.of(request.socket);
    void new Exchange(deps, parts, asked, { client, carrier: new NodeCarrier(request, response) }).run();
    return true;
  };
}

const emptyBody = new Uint8Array(0);

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

class NodeCarrier implements Carrier {
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
  }

  get address(): string {
    return this.request.socket.remoteAddress ?? 'unknown';
  }

  get hasBegun(): boolean {
    return this.response.headersSent;
  }

  body(most: number): Promise<Uint8Array> {
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

  send(status: number, headers: readonly string[], body: Uint8Array): void {
    // A body that was not read to its end stands in the way of the connection's next request.
    this.begin(status, this.request.complete ? headers : [...headers, 'connection', 'close']);
    if (body.length > LATIN1_MAX) this.response.end(body);
    else this.response.end(latin1Of(body), 'latin1');
  }

  begin(status: number, headers: readonly string[]): void {
    this.response.writeHead(status, [...FIXED_HEADERS, ...headers]);
  }

  write(text: string): boolean {
    return this.response.write(text);
  }

  drained(): Promise<void> {
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

  end(): void {
    this.response.end();
  }

  abort(): void {
    this.response.destroy();
  }
}
