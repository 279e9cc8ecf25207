import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Deps } from '../../ports/deps.ts';
import { answerHead } from './answer-head.ts';
import { CallHead } from './call-head.ts';
import { type AskedCall, askedCall, type CallParts, Exchange } from './exchange.ts';
import { type Front, FrontConnection } from './front-connection.ts';

const TURN_MS = 1_000;
/** Turns in which a message must have come, before node:http waits for it, with its own bounds. */
const COMING_TURNS = 2;

/**
 * Takes the calls of a server's connections before node:http does, which takes twice as long over its side of a call as
 * all the rest of it needs. It knows one kind of message, the one that nearly all calls are (call-head.ts); a connection with
 * any other is given to node:http as it came.
 */
export class CallFront implements Front {
  readonly head = new CallHead();
  turn = 0;
  isClosing = false;
  readonly #server: Server;
  readonly #deps: Deps;
  readonly #parts: CallParts;
  /** What node:http does with a connection. */
  readonly #listeners: ReturnType<Server['listeners']>;
  readonly #connections = new Set<FrontConnection>();
  #timer: NodeJS.Timeout | null = null;

  /** Stands before `server` from now on. */
  constructor(server: Server, deps: Deps, parts: CallParts) {
    this.#server = server;
    this.#deps = deps;
    this.#parts = parts;
    this.#listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** Ends the connections that carry nothing, and each of the others with its answer. */
  close(): void {
    this.isClosing = true;
    for (const connection of this.#connections) if (connection.phase === 'waiting') connection.finish();
  }

  /** Ends every connection, with what it carries. */
  closeAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** Part of Front, as are those that follow. */
  asked(): AskedCall | null {
    const { head } = this;
    const asked = askedCall(this.#deps, head.endpoint, head.header);
    head.forget();
    return head.bodyBytes <= this.#deps.settings.maxLineBytes ? asked : null;
  }

  start(asked: AskedCall, connection: FrontConnection): void {
    void new Exchange(this.#deps, this.#parts, asked, { client: connection, carrier: connection }).run();
  }

  answerHead(status: number, headers: readonly string[], isChunked: boolean): string {
    const keepAliveSeconds = this.isClosing ? null : Math.floor(this.#server.keepAliveTimeout / 1000);
    return answerHead(status, headers, { keepAliveSeconds, isChunked, now: this.#deps.clock.now() });
  }

  handOver(socket: Socket): void {
    for (const listener of this.#listeners) Reflect.apply(listener, this.#server, [socket]);
  }

  gone(connection: FrontConnection): void {
    this.#connections.delete(connection);
  }

  #take(socket: Socket): void {
    this.#connections.add(new FrontConnection(this, socket));
    this.#timer ??= setInterval(() => this.#sweep(), TURN_MS).unref();
  }

  /** One coarse timer for all connections. */
  #sweep(): void {
    this.turn += 1;
    // A turn longer than it says: a request may be on its way.
    const idleTurns = this.#server.keepAliveTimeout / TURN_MS + 1;
    for (const connection of this.#connections) {
      const turns = this.turn - connection.since;
      if (connection.phase === 'waiting' && connection.isUsed) {
        if (turns > idleTurns && !connection.isBehind) connection.destroy();
      } else if (connection.phase !== 'answering' && turns > COMING_TURNS) connection.handOver();
    }
    if (this.#connections.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
