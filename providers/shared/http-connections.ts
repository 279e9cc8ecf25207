import { performance } from 'node:perf_hooks';
import { addressOf } from '../../src/core/http-address.ts';
import type { HttpProxy } from '../../src/core/proxies.ts';
import type { Exchange } from './http-exchange.ts';
import { type Carried, Connection, type Origin } from './http1/connection.ts';
import { isNearlyOver } from './in-flight.ts';

/** After a connection broke under its second request or a later one, so many requests get each a connection of their own. */
const ALONE_MIN = 64;
const ALONE_MAX = 1_024;
const SWEEP_MS = 500;
/** What was answered so lately was not closed for having been idle. */
const FRESH_MS = 10;
/** So many requests on such connections are written together. */
const WRITTEN_TOGETHER = 16;

/**
 * The connections to one origin, with a stack of idle ones: finding one costs the same at four thousand as at four.
 *
 * A request is written when all that has come in was read, with the others of that moment (setImmediate): a connection that
 * the server has just ended is seen to be so before anything is sent on it. Where many answers come in at once, requests on
 * connections that have just answered do not wait for all of them to be read.
 */
export class Connections {
  readonly #origin: Origin;
  readonly #max: number;
  readonly #all = new Set<Connection>();
  /** Of those that are dead by now, too. */
  readonly #idle: Connection[] = [];
  /** Those with a request that is to be written; the fresh ones have just answered. */
  #outgoing: Connection[] = [];
  #fresh: Connection[] = [];
  #isDue = false;
  /** Exchanges beyond `max`, oldest first; the ones that ended while waiting are skipped. */
  readonly #waiting: Exchange[] = [];
  #nextWaiting = 0;
  /** Connections that are still to be given up after one request. */
  #alone = 0;
  #aloneNext = ALONE_MIN;
  #sweeper: NodeJS.Timeout | null = null;

  /** `max`: of connections at once. */
  constructor(url: URL, proxy: HttpProxy | null, max: number) {
    this.#origin = { ...addressOf(url), proxy };
    this.#max = max;
  }

  /** Starts the exchange on an idle or new connection, or as soon as one is free. */
  run(exchange: Exchange): void {
    const now = performance.now();
    const idle = this.#shiftIdle(now);
    const connection = idle ?? this.#open();
    if (connection === null) this.#waiting.push(exchange);
    else this.#start(connection, exchange, idle !== null && now - idle.idleSince < FRESH_MS);
  }

  /** The exchange is over: its connection serves the next one, or makes room for a new one. */
  release(exchange: Exchange, isWhole: boolean): void {
    const { connection } = exchange;
    if (connection === null) return;
    exchange.connection = null;
    if (connection.isReused && exchange.brokeUnanswered) this.#distrust();
    const keepMs = isWhole && this.#alone === 0 ? connection.keepAliveMs : 0;
    if (isWhole && this.#alone > 0) this.#alone -= 1;
    if (keepMs === 0) this.#discard(connection);
    const next = this.#shiftWaiting();
    if (next === null) {
      if (keepMs > 0) this.#keep(connection, keepMs);
      return;
    }
    const free = keepMs > 0 ? connection : this.#open();
    if (free !== null) this.#start(free, next, free === connection);
  }

  /** Ends every connection; exchanges in flight fail. */
  close(): void {
    this.#waiting.length = 0;
    this.#nextWaiting = 0;
    this.#idle.length = 0;
    for (const connection of this.#all) connection.destroy();
    this.#all.clear();
    this.#stopSweeping();
  }

  #start(connection: Connection, exchange: Exchange, isFresh: boolean): void {
    exchange.connection = connection;
    connection.carry(exchange);
    if (connection.isConnected) this.#write(connection, isFresh);
  }

  #write(connection: Connection, isFresh: boolean): void {
    if (!this.#isDue) setImmediate(() => this.#writeAll());
    this.#isDue = true;
    if (!isFresh) this.#outgoing.push(connection);
    else if (this.#fresh.push(connection) === WRITTEN_TOGETHER) this.#writeFresh();
  }

  #writeAll(): void {
    this.#isDue = false;
    this.#writeFresh();
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const connection of outgoing) connection.send();
  }

  #writeFresh(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const connection of fresh) connection.send();
  }

  #open(): Connection | null {
    if (this.#all.size >= this.#max) return null;
    const connection = new Connection(
      this.#origin,
      (connected) => this.#write(connected, false),
      (dead, unsent) => this.#buried(dead, unsent),
    );
    this.#all.add(connection);
    return connection;
  }

  /** What was to be written on it goes another way. */
  #buried(connection: Connection, unsent: Carried | null): void {
    this.#all.delete(connection);
    if (unsent === null) return;
    const exchange = unsent as Exchange;
    exchange.connection = null;
    this.run(exchange);
  }

  #discard(connection: Connection): void {
    this.#all.delete(connection);
    connection.destroy();
  }

  /**
   * Some servers close a connection after an answer without a word, or went away while it was idle: what is sent on it is
   * lost, and nobody knows whether it was done. A line would spend all its tries on such connections.
   */
  #distrust(): void {
    if (this.#alone > 0) return;
    this.#alone = this.#aloneNext;
    this.#aloneNext = Math.min(ALONE_MAX, this.#aloneNext * 2);
    for (const connection of this.#idle.splice(0)) this.#discard(connection);
  }

  #keep(connection: Connection, keepMs: number): void {
    connection.idleSince = performance.now();
    connection.idleUntil = connection.idleSince + keepMs;
    this.#idle.push(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #shiftIdle(now: number): Connection | null {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isDead) continue;
      if (idle.idleUntil > now) return idle;
      this.#discard(idle);
    }
    return null;
  }

  /** Ends those that were idle for as long as their server lets them. */
  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#idle.splice(0)) {
      if (connection.isDead) continue;
      if (connection.idleUntil > now) this.#idle.push(connection);
      else this.#discard(connection);
    }
    if (this.#idle.length === 0) this.#stopSweeping();
  }

  #stopSweeping(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
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
