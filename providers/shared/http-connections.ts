import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
import type { Exchange } from './http-exchange.ts';
import { isNearlyOver } from './in-flight.ts';

const connectTimeoutMs = 10_000;
/** After a connection broke under its second request or a later one, so many requests get each a connection of their own. */
const ALONE_MIN = 64;
const ALONE_MAX = 1_024;

/**
 * The connections to one origin, one undici Client each, kept in a stack of idle ones: finding one costs the same at
 * four thousand connections as at four, where a Pool searches its clients from the start for every request.
 */
export class Connections {
  readonly #origin: string;
  readonly #options: Client.Options;
  readonly #max: number;
  /** Every socket, connected or not: destroying a Client does not end the one it is still connecting. */
  readonly #sockets = new Set<Socket>();
  readonly #all = new Set<Client>();
  readonly #idle: Client[] = [];
  /** Exchanges beyond `max`, oldest first; the ones that ended while waiting are skipped. */
  readonly #waiting: Exchange[] = [];
  #nextWaiting = 0;
  /** Connections that are still to be given up after one request. */
  #alone = 0;
  #aloneNext = ALONE_MIN;

  constructor(origin: string, max: number) {
    this.#origin = origin;
    this.#max = max;
    // Time is bounded by the caller alone: undici's own limits of 300 s would end long generations.
    this.#options = { headersTimeout: 0, bodyTimeout: 0, allowH2: false, connect: this.#createConnector() };
  }

  /** Starts the exchange on an idle or new connection, or as soon as one is free. */
  run(exchange: Exchange): void {
    const idle = this.#idle.pop();
    exchange.isReuse = idle !== undefined;
    const client = idle ?? this.#open();
    if (client === null) this.#waiting.push(exchange);
    else start(client, exchange);
  }

  /** The exchange is over: its connection serves the next one, or makes room for a new one. */
  release(exchange: Exchange, isWhole: boolean): void {
    const { client } = exchange;
    if (client === null) return;
    exchange.client = null;
    if (exchange.isReuse && exchange.brokeUnanswered) this.#distrust();
    const reusable = isWhole && this.#alone === 0;
    if (isWhole && !reusable) this.#alone -= 1;
    if (!reusable) this.#discard(client);
    const next = this.#shiftWaiting();
    if (next === null) {
      if (reusable) this.#idle.push(client);
      return;
    }
    next.isReuse = reusable;
    const connection = reusable ? client : this.#open();
    if (connection !== null) start(connection, next);
  }

  /** Ends every connection; exchanges in flight fail. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    this.#nextWaiting = 0;
    this.#idle.length = 0;
    await Promise.all([...this.#all].map((client) => client.destroy()));
    this.#all.clear();
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * Some servers close a connection after an answer without a word, or went away while it was idle: what is sent on it is
   * lost, and nobody knows whether it was done. A line would spend all its tries on such connections.
   */
  #distrust(): void {
    if (this.#alone > 0) return;
    this.#alone = this.#aloneNext;
    this.#aloneNext = Math.min(ALONE_MAX, this.#aloneNext * 2);
    for (const client of this.#idle.splice(0)) this.#discard(client);
  }

  /** One connector for the origin, so that its connections share their TLS sessions. */
  #createConnector(): buildConnector.connector {
    const connect = buildConnector({ allowH2: false, timeout: connectTimeoutMs });
    return (options, callback) => {
      // It returns the socket, which its type does not say.
      const socket = connect(options, callback) as unknown as Socket;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    };
  }

  #open(): Client | null {
    if (this.#all.size >= this.#max) return null;
    const client = new Client(this.#origin, this.#options);
    this.#all.add(client);
    return client;
  }

  #discard(client: Client): void {
    this.#all.delete(client);
    // Destroying is the one way to stop a request that is still connecting.
    client.destroy().catch(() => {});
  }

  #shiftWaiting(): Exchange | null {
    while (this.#nextWaiting < this.#waiting.length) {
      const exchange = this.#waiting[this.#nextWaiting++];
      if (this.#nextWaiting >= 4096) this.#nextWaiting -= this.#waiting.splice(0, this.#nextWaiting).length;
      // What has no time left is not sent: it would be paid for, and its answer be nobody's.
      if (exchange?.isOpen && !isNearlyOver(exchange)) return exchange;
    }
    this.#waiting.length = 0;
    this.#nextWaiting = 0;
    return null;
  }
}

function start(client: Client, exchange: Exchange): void {
  exchange.client = client;
  client.dispatch(exchange.options, exchange);
}
