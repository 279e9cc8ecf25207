import { Buffer } from 'node:buffer';
import type { HttpProxy, Proxies } from '../../src/core/proxies.ts';
import {
  type HttpClient,
  HttpFailure,
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
} from '../../src/ports/http-client.ts';
import { AnswerMemory } from './answer-memory.ts';
import { Connections } from './http-connections.ts';
import { Exchange } from './http-exchange.ts';
import type { StreamConnections } from './http-stream.ts';
import { RequestHeads, UnsendableHeader } from './http1/request-head.ts';
import { InFlight } from './in-flight.ts';

export interface NodeHttpClientOptions {
  /** Connections to one origin; requests beyond them wait. */
  maxConnectionsPerOrigin?: number;
  /** Bytes of answers that are not whole yet, of all requests together; one answer may be larger. */
  maxIncomingBytes?: number;
  /** What leads out; null: nothing is in between. */
  proxies?: Proxies | null;
}

const INCOMING_BYTES_MAX = 64 * 1024 ** 2;

/**
 * The HttpClient for Node.js: thousands of requests in flight, no timer object for each. Whole answers come over HTTP/1.1
 * connections of our own (http1/), as every line of a batch is such an answer: undici's client takes 16 µs more of each, a
 * quarter of all that a line takes of the main thread. Streams, which are few and long, come over undici.
 */
export function createNodeHttpClient(options: NodeHttpClientOptions = {}): HttpClient {
  return new NodeHttpClient(options);
}

interface Destination {
  connections: Connections;
  heads: RequestHeads;
}

/** URLs are few (servers × endpoints); the bound only keeps ids in paths from piling up. */
const maxDestinations = 10_000;

class NodeHttpClient implements HttpClient {
  readonly #maxConnections: number;
  readonly #proxies: Proxies | null;
  readonly #memory: AnswerMemory;
  readonly #connections = new Map<string, Connections>();
  readonly #destinations = new Map<string, Destination>();
  readonly #inFlight: InFlight<Exchange>;
  /** Those that end what is in flight under them. */
  readonly #signals = new WeakSet<AbortSignal>();
  #streams: Promise<StreamConnections> | null = null;
  #isClosed = false;

  constructor({ maxConnectionsPerOrigin, maxIncomingBytes, proxies }: NodeHttpClientOptions) {
    this.#maxConnections = maxConnectionsPerOrigin ?? 4096;
    this.#proxies = proxies ?? null;
    this.#memory = new AnswerMemory(maxIncomingBytes ?? INCOMING_BYTES_MAX);
    this.#inFlight = new InFlight((nowMs) => this.#memory.look(nowMs));
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    if (this.#isClosed) return Promise.reject(new HttpFailure('aborted', false, 'the HTTP client is closed'));
    if (request.signal?.aborted) return Promise.reject(new HttpFailure('aborted', false, 'the call was aborted'));
    const destination = this.#destinations.get(request.url) ?? this.#findDestination(request.url);
    const { connections } = destination;
    return new Promise((resolve, reject) => {
      const head = headOf(request, destination);
      const exchange = new Exchange(request, { head, connections, memory: this.#memory, owner: this }, resolve, reject);
      if (request.signal !== undefined) this.#watch(request.signal);
      this.#inFlight.add(exchange, request.timeoutMs);
      connections.run(exchange);
    });
  }

  stream(request: HttpRequest): Promise<HttpStream> {
    if (this.#isClosed) return Promise.reject(new HttpFailure('aborted', false, 'the HTTP client is closed'));
    this.#streams ??= openStreams(this.#proxies);
    return this.#streams.then((streams) => streams.open(request));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const streams = await this.#streams?.catch(() => null);
    await streams?.close();
    for (const exchange of this.#inFlight.all()) exchange.abort();
    this.#inFlight.stop();
    for (const connections of this.#connections.values()) connections.close();
    this.#connections.clear();
    this.#destinations.clear();
  }

  /** Part of ExchangeOwner. */
  finished(exchange: Exchange, reusable: boolean): void {
    this.#inFlight.remove(exchange);
    exchange.connections.release(exchange, reusable);
  }

  /** One listener for each signal, however many exchanges it ends. */
  #watch(signal: AbortSignal): void {
    if (this.#signals.has(signal)) return;
    this.#signals.add(signal);
    signal.addEventListener('abort', () => this.#abortAll(signal), { once: true });
  }

  #abortAll(signal: AbortSignal): void {
    for (const exchange of this.#inFlight.all()) if (exchange.signal === signal) exchange.abort();
  }

  #findDestination(url: string): Destination {
    const parsed = new URL(url);
    const proxy = this.#proxies?.of(parsed) ?? null;
    const connections = this.#connections.get(parsed.origin) ?? this.#connect(parsed, proxy);
    const path = parsed.pathname + parsed.search;
    // A proxy is told where a request goes that it can read; the others are in a tunnel.
    const heads =
      proxy === null || parsed.protocol === 'https:'
        ? new RequestHeads(path, parsed.host)
        : new RequestHeads(parsed.origin + path, parsed.host, proxy.authorization);
    const destination = { connections, heads };
    if (this.#destinations.size >= maxDestinations) this.#destinations.clear();
    this.#destinations.set(url, destination);
    return destination;
  }

  #connect(url: URL, proxy: HttpProxy | null): Connections {
    const connections = new Connections(url, proxy, this.#maxConnections);
    this.#connections.set(url.origin, connections);
    return connections;
  }
}

/** Undici is megabytes, which a server without streams need not read. */
async function openStreams(proxies: Proxies | null): Promise<StreamConnections> {
  const { StreamConnections } = await import('./http-stream.ts');
  return new StreamConnections(proxies);
}

/** Throws HttpFailure for a header that cannot be sent. */
function headOf({ method, headers, body }: HttpRequest, { heads }: Destination): string {
  const hasBody = body !== undefined || method === 'POST' || method === 'PUT';
  try {
    return heads.head(method, headers, hasBody ? Buffer.byteLength(body ?? '') : null);
  } catch (error) {
    if (!(error instanceof UnsendableHeader)) throw error;
    throw new HttpFailure('connect', false, `the header ${error.message} has a character that cannot be sent`);
  }
}
