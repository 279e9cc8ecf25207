import type { Client, Dispatcher } from 'undici';
import { HttpFailure, type HttpRequest, type HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerMemory } from './answer-memory.ts';
import { decoded } from './content-encoding.ts';

/** Where an exchange gives its connection back. */
interface Lender {
  release(exchange: Exchange, reusable: boolean): void;
}

/** From where an exchange stops being watched. */
interface ExchangeOwner {
  /** Called once, when the exchange is over; `reusable` says whether its connection is. */
  finished(exchange: Exchange, reusable: boolean): void;
}

/** Where an exchange takes place. */
interface Place {
  /** Path and query. */
  path: string;
  connections: Lender;
  memory: AnswerMemory;
  owner: ExchangeOwner;
}

/** One request and its answer: undici's handler and the caller's promise in one object, as there is one for each call. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly options: Dispatcher.DispatchOptions;
  readonly signal: AbortSignal | undefined;
  /** The connection it runs on; null while it waits for one. */
  client: Client | null = null;
  readonly connections: Lender;
  /** Of those in flight. */
  place = 0;
  expiresAt = 0;
  /** Its connection has carried others before. */
  isReuse = false;

  readonly #memory: AnswerMemory;
  readonly #owner: ExchangeOwner;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (failure: HttpFailure) => void;
  readonly #maxResponseBytes: number;
  #isStarted = false;
  #isOver = false;
  #broke = false;
  #status = 0;
  #headers: Readonly<Record<string, string>> = noHeaders;
  #first: Buffer | null = null;
  #chunks: Buffer[] | null = null;
  #bytes = 0;
  /** Set while its answer comes in. */
  #controller: Dispatcher.DispatchController | null = null;

  constructor(
    request: HttpRequest,
    { path, connections, memory, owner }: Place,
    resolve: (response: HttpResponse) => void,
    reject: (failure: HttpFailure) => void,
  ) {
    this.options = { path, method: request.method, headers: request.headers, body: request.body ?? null };
    this.signal = request.signal;
    this.connections = connections;
    this.#maxResponseBytes = request.maxResponseBytes;
    this.#memory = memory;
    this.#owner = owner;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** True when its connection broke and nothing had come of an answer. */
  get brokeUnanswered(): boolean {
    return this.#broke && this.#status === 0;
  }

  /** True until it has an outcome. */
  get isOpen(): boolean {
    return !this.#isOver;
  }

  expire(): void {
    this.#fail('timeout', 'no complete answer in time');
  }

  abort(): void {
    this.#fail('aborted', 'the call was aborted');
  }

  /** Part of Incoming, as is `resume`. */
  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    // Another answer has just ended, in the parser that undici has for all of them: this one goes on when that is done.
    queueMicrotask(() => this.#controller?.resume());
  }

  /** undici is about to write: from here on the request may have reached the server. */
  onRequestStart(): void {
    this.#isStarted = true;
  }

  onResponseStart({ rawHeaders }: Dispatcher.DispatchController, status: number, headers: IncomingHeaders): void {
    // Nobody reads them any more; but undici's list of them is old by now, and would keep them until old garbage is collected.
    if (Array.isArray(rawHeaders)) rawHeaders.length = 0;
    // Informational answers (103) precede the real one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = flatten(headers);
    if (Number(this.#headers['content-length']) > this.#maxResponseBytes) this.#failAsTooLarge();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#bytes += chunk.length;
    this.#comesIn(controller, chunk.length);
    if (this.#bytes > this.#maxResponseBytes) this.#failAsTooLarge();
    else if (this.#first === null) this.#first = chunk;
    else if (this.#chunks === null) this.#chunks = [this.#first, chunk];
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const body = this.#chunks === null ? (this.#first ?? noBody) : Buffer.concat(this.#chunks, this.#bytes);
    this.#owner.finished(this, true);
    const response = { status: this.#status, headers: this.#headers, body };
    this.#first = null;
    this.#chunks = null;
    if (response.headers['content-encoding'] === undefined) {
      this.#empty();
      this.#resolve(response);
    } else void this.#resolveDecoded(response);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const code = codeOf(error);
    this.#broke = true;
    if (!this.#isStarted) this.#fail('connect', `no connection${code}`);
    else if (code.includes('UND_ERR_HEADERS_OVERFLOW')) this.#fail('too_large', 'the head of the answer is too large');
    else this.#fail('reset', `the connection broke before the answer was complete${code}`);
  }

  #comesIn(controller: Dispatcher.DispatchController, bytes: number): void {
    if (this.#controller === null) this.#memory.begin();
    this.#controller = controller;
    this.#memory.add(this, bytes);
  }

  /** Until it is decoded, an answer holds others back as if it still came in. */
  async #resolveDecoded(response: HttpResponse): Promise<void> {
    try {
      const whole = decoded(response, this.#maxResponseBytes);
      this.#resolve(whole instanceof Promise ? await whole : whole);
    } catch (error) {
      this.#reject(error as HttpFailure);
    } finally {
      this.#empty();
    }
  }

  /** So is an exchange that was long in flight, beside its answer. */
  #empty(): void {
    if (this.#controller !== null) this.#memory.end(this, this.#bytes);
    this.#controller = null;
    this.#headers = noHeaders;
    this.#first = null;
    this.#chunks = null;
  }

  #failAsTooLarge(): void {
    this.#fail('too_large', `the answer is larger than ${this.#maxResponseBytes} bytes`);
  }

  #fail(kind: HttpFailure['kind'], message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#empty();
    this.#owner.finished(this, false);
    this.#reject(new HttpFailure(kind, this.#isStarted, message));
  }
}

type IncomingHeaders = Record<string, string | string[] | undefined>;

const noBody = new Uint8Array(0);
const noHeaders: Readonly<Record<string, string>> = {};

function flatten(headers: IncomingHeaders): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== 'string') headers[name] = value?.join(', ') ?? '';
  }
  return headers as Record<string, string>;
}

/** ` (ECONNREFUSED)`: the error's code, which unlike its message names no host. */
function codeOf(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? ` (${code})` : '';
}
