import { Buffer } from 'node:buffer';
import type { Soon } from '../../core/soon.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import type { CallAnswer, StreamedAnswer, WholeAnswer } from '../../services/calls/answer.ts';
import type { Calls } from '../../services/calls/calls.ts';
import type { CallHeaders } from '../../services/calls/read-call.ts';
import type { Authenticator, Presented } from '../../services/keys/authenticate.ts';
import { presentedSecret } from '../auth.ts';
import { callHeaders, STREAM_HEADERS } from '../call-headers.ts';
import { errorHeaders, toApiError } from '../errors.ts';
import { countRequest, DATA_HEADERS, requestIdOf, SECURITY_HEADERS } from '../frame.ts';

export interface CallParts {
  authenticator: Authenticator;
  calls: Calls;
  metrics: Metrics;
}

/** Who is at the other end of a connection, for all of its calls. */
export interface Client {
  readonly presented: Presented;
  /** Aborts when the connection closes: its calls leave together. */
  readonly signal: AbortSignal;
}

/** What carries one call and its answer. Names and values of headers come in turn, beside FIXED_HEADERS. */
export interface Carrier {
  /** The client's. */
  readonly address: string;
  /** The head of the answer was given: no other one can be. */
  readonly hasBegun: boolean;
  /** All of the body. Throws ApiError when it is cut off, or larger than `most` bytes. */
  body(most: number): Soon<Uint8Array>;
  /** The whole answer. */
  send(status: number, headers: readonly string[], body: Uint8Array): void;
  /** The head of an answer that comes in pieces. */
  begin(status: number, headers: readonly string[]): void;
  /** A piece, of one character at least. False when the client has not taken what came before: wait for `drained`. */
  write(text: string): boolean;
  /** Resolves when the client has taken what was written, or has left. */
  drained(): Promise<void>;
  end(): void;
  /** Gives the connection up, so that nobody takes what was sent for the whole. */
  abort(): void;
}

/** What the head of a call says. */
export interface AskedCall {
  endpoint: Endpoint;
  secret: string;
  requestId: string;
  headers: CallHeaders;
}

/** The headers that `askedCall` asks for. */
export const CALL_HEADERS: readonly string[] = [
  'idempotency-key',
  'content-encoding',
  'authorization',
  'api-key',
  'x-api-key',
  'x-request-id',
  'x-weir-config',
  'x-portkey-config',
  'x-weir-metadata',
  'x-portkey-metadata',
  'x-weir-cache',
  'x-portkey-cache-force-refresh',
];

/**
 * What a call's head asks for; null for one that is the app's: what needs more than a call by a key (an Idempotency-Key,
 * a compressed body, a session in place of a key).
 */
export function askedCall(
  deps: Pick<Deps, 'random'>,
  endpoint: Endpoint,
  header: (name: string) => string | undefined,
): AskedCall | null {
  if (header('idempotency-key') !== undefined || header('content-encoding') !== undefined) return null;
  const secret = presentedSecret(header);
  if (secret === null) return null;
  return { endpoint, secret, requestId: requestIdOf(deps, header('x-request-id')), headers: callHeaders(header) };
}

/** On every answer to a call: names and values in turn. */
export const FIXED_HEADERS: readonly string[] = Object.entries({ ...SECURITY_HEADERS, ...DATA_HEADERS })
  .filter(([name]) => name !== 'cache-control')
  .flat();

/** One call and its answer on the wire. What decides is the app's own: keys, limits, calls and errors. */
export class Exchange {
  private readonly deps: Deps;
  private readonly parts: CallParts;
  private readonly asked: AskedCall;
  private readonly client: Client;
  private readonly carrier: Carrier;
  private readonly startedAt: number;

  constructor(
    deps: Deps,
    parts: CallParts,
    asked: AskedCall,
    { client, carrier }: { client: Client; carrier: Carrier },
  ) {
    this.deps = deps;
    this.parts = parts;
    this.asked = asked;
    this.client = client;
    this.carrier = carrier;
    this.startedAt = deps.clock.micros();
  }

  /** Never rejects. */
  async run(): Promise<void> {
    try {
      const { authenticator, calls } = this.parts;
      const { endpoint, secret, headers, requestId } = this.asked;
      const { presented, signal } = this.client;
      const actor = authenticator.recall(secret, presented) ?? (await this.authenticate(secret));
      const body = this.carrier.body(this.deps.settings.maxLineBytes);
      const raw = body instanceof Promise ? await body : body;
      const answer: CallAnswer = await calls.answer({ actor, endpoint, raw, headers, requestId, signal });
      if ('body' in answer) this.send(answer);
      else await this.stream(answer);
    } catch (error) {
      this.refuse(error);
    }
  }

  private authenticate(secret: string): Promise<Actor> {
    return this.parts.authenticator.authenticate(secret, this.carrier.address);
  }

  private send(answer: WholeAnswer): void {
    const { status, headers } = answer;
    const bytes = answer.bytes ?? Buffer.from(answer.body);
    this.carrier.send(status, this.headersOf(headers, bytes.length), bytes);
    this.count(status);
  }

  private async stream({ headers, events }: StreamedAnswer): Promise<void> {
    this.carrier.begin(200, this.headersOf({ ...STREAM_HEADERS, ...headers }));
    this.count(200);
    for await (const text of events) {
      if (this.client.signal.aborted) break;
      if (text !== '' && !this.carrier.write(text)) await this.carrier.drained();
    }
    this.carrier.end();
  }

  private refuse(error: unknown): void {
    const { requestId, endpoint } = this.asked;
    const request = { requestId, method: 'POST', path: endpoint };
    const known = toApiError(this.deps, error, request, this.client.signal.aborted);
    if (this.carrier.hasBegun) {
      this.carrier.abort();
      return;
    }
    const body = Buffer.from(JSON.stringify(known.toEnvelope()));
    const headers = { 'content-type': 'application/json', ...errorHeaders(known) };
    this.carrier.send(known.status, this.headersOf(headers, body.length), body);
    this.count(known.status);
  }

  /** `length`: of the body in bytes; absent where it is not known yet. */
  private headersOf(headers: Record<string, string>, length?: number): string[] {
    const flat = ['x-request-id', this.asked.requestId];
    for (const name in headers) if (name !== 'cache-control') flat.push(name, headers[name] ?? '');
    flat.push('cache-control', headers['cache-control'] ?? DATA_HEADERS['cache-control'] ?? 'no-store');
    if (length !== undefined) flat.push('content-length', String(length));
    return flat;
  }

  /** Counts the request, of which the head has been given: nobody waits for that any more. */
  private count(status: number): void {
    const labels = { method: 'POST', route: this.asked.endpoint };
    const seconds = (this.deps.clock.micros() - this.startedAt) / 1e6;
    countRequest(this.parts.metrics, labels, status, seconds);
    this.deps.log.debug({ requestId: this.asked.requestId, ...labels, status, seconds }, 'request answered');
  }
}
