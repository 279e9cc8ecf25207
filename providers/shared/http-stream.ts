import { pipeline, type Readable } from 'node:stream';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { Proxies } from '../../src/core/proxies.ts';
import { HttpFailure, type HttpRequest, type HttpStream } from '../../src/ports/http-client.ts';
import { decodersOf } from './content-encoding.ts';
import { toFailure } from './http-fetch.ts';

const OPTIONS = { allowH2: false, connect: { timeout: 10_000 } };
const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** Answers that are read piece by piece, over connections of their own: a stream holds one for as long as it lasts. */
export class StreamConnections {
  readonly #proxies: Proxies | null;
  readonly #agent = new Agent(OPTIONS);
  /** By the URL of the proxy. */
  readonly #agents = new Map<string, ProxyAgent>();

  constructor(proxies: Proxies | null = null) {
    this.#proxies = proxies;
  }

  /** As HttpClient.stream. */
  async open(request: HttpRequest): Promise<HttpStream> {
    if (request.signal?.aborted) throw new HttpFailure('aborted', false, 'the call was aborted');
    const url = new URL(request.url);
    const { origin, pathname, search } = url;
    try {
      const { statusCode, headers, body } = await this.#agentFor(url).request({
        origin,
        path: pathname + search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        headersTimeout: request.timeoutMs,
        bodyTimeout: request.timeoutMs,
        ...(request.signal && { signal: request.signal }),
      });
      const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value ?? '')]));
      return { status: statusCode, headers: flat, body: pieces(decode(body, flat), request) };
    } catch (error) {
      throw failureOf(error, request);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent, ...this.#agents.values()].map((agent) => agent.destroy()));
  }

  #agentFor(url: URL): Dispatcher {
    const proxy = this.#proxies?.of(url) ?? null;
    if (proxy === null) return this.#agent;
    const agent = this.#agents.get(proxy.url) ?? new ProxyAgent({ uri: proxy.url, ...OPTIONS });
    this.#agents.set(proxy.url, agent);
    return agent;
  }
}

/** What breaks off, or is left early, ends its decoders, and these it. */
function decode(body: Readable, headers: Record<string, string>): Readable {
  return decodersOf(headers).reduce<Readable>((from, to) => pipeline(from, to, () => {}), body);
}

async function* pieces(body: AsyncIterable<Uint8Array>, request: HttpRequest): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > request.maxResponseBytes) {
        throw new HttpFailure('too_large', true, `the answer is larger than ${request.maxResponseBytes} bytes`);
      }
      yield piece;
    }
  } catch (error) {
    throw failureOf(error, request);
  }
}

function failureOf(error: unknown, request: HttpRequest): HttpFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return toFailure(error, timeoutCodes.has(code), request.signal?.aborted === true);
}
