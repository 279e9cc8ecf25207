import { HttpFailure, type HttpRequest, type HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerMemory } from './answer-memory.ts';
import { decoded } from './content-encoding.ts';
import type { Breakage, Carried, Connection } from './http1/connection.ts';

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
  /** Of the request, as it is sent. */
  head: string;
  connections: Lender;
  memory: AnswerMemory;
  owner: ExchangeOwner;
}

/** One request and its answer: what a connection carries and the caller's promise in one object, as there is one for each call. */
export class Exchange implements Carried {
  readonly head: string;
  readonly body: string | Uint8Array | null;
  readonly signal: AbortSignal | undefined;
  /** The connection it runs on; null while it waits for one. */
  connection: Connection | null = null;
  readonly connections: Lender;
  /** Of those in flight. */
  place = 0;
  expiresAt = 0;

  readonly #memory: AnswerMemory;
  readonly #owner: ExchangeOwner;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (failure: HttpFailure) => void;
  readonly #maxResponseBytes: number;
  #isSent = false;
  #isOver = false;
  #broke = false;
  #status = 0;
  #headers: Readonly<Record<string, string>> = noHeaders;
  /** Bytes that were announced; null where only the end of the answer tells. */
  #length: number | null = null;
  #first: Uint8Array | null = null;
  #chunks: Uint8Array[] | null = null;
  #bytes = 0;
  /** Its answer comes in pieces, and is counted among those that do. */
  #isCounted = false;

  constructor(
    request: HttpRequest,
    { head, connections, memory, owner }: Place,
    resolve: (response: HttpResponse) => void,
    reject: (failure: HttpFailure) => void,
  ) {
    this.head = head;
    this.body = request.body ?? null;
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
    this.connection?.pause();
  }

  resume(): void {
    this.connection?.resume();
  }

  sent(): void {
    this.#isSent = true;
  }

  begin(status: number, headers: Record<string, string>, length: number | null): void {
    this.#status = status;
    this.#headers = headers;
    this.#length = length;
    if (length !== null && length > this.#maxResponseBytes) this.#failAsTooLarge();
  }

  add(piece: Uint8Array): void {
    if (this.#isOver) return;
    this.#bytes += piece.length;
    if (this.#bytes !== this.#length || this.#first !== null) this.#count(piece.length);
    if (this.#bytes > this.#maxResponseBytes) this.#failAsTooLarge();
    else if (this.#first === null) this.#first = piece;
    else if (this.#chunks === null) this.#chunks = [this.#first, piece];
    else this.#chunks.push(piece);
  }

  end(): void {
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

  broke({ kind, reason }: Breakage): void {
    this.#broke = true;
    if (kind === 'too_large') this.#fail('too_large', 'the head of the answer is too large');
    else if (!this.#isSent) this.#fail('connect', `no connection (${reason})`);
    else this.#fail('reset', `the connection broke before the answer was complete (${reason})`);
  }

  #count(bytes: number): void {
    if (!this.#isCounted) this.#memory.begin();
    this.#isCounted = true;
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

  /** An exchange that was long in flight is old by now, and would keep its answer until old garbage is collected. */
  #empty(): void {
    if (this.#isCounted) this.#memory.end(this, this.#bytes);
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
    this.#reject(new HttpFailure(kind, this.#isSent, message));
  }
}

const noBody = new Uint8Array(0);
const noHeaders: Readonly<Record<string, string>> = {};
