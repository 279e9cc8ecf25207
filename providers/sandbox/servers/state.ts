import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RequestBody } from './answer.ts';
import { type Counters, newCounters, resetCounters } from './counters.ts';
import { type FaultPlan, planFaults } from './faults.ts';
import { PrefixCache } from './prefix-cache.ts';
import { seededRandom } from './random.ts';
import { changeSettings, type Settings } from './settings.ts';
import { Slots } from './slots.ts';

/** What only a program in the same process can supply. */
export interface Hooks {
  /** A recorded answer's text for a request; undefined lets the server invent one. */
  answer?: ((body: RequestBody) => string | undefined) | undefined;
  /** The key under which a request is counted; undefined leaves it out. */
  countBy?: ((body: RequestBody) => string | undefined) | undefined;
}

/** A request as it came; secrets are left out of the headers. */
export interface LoggedRequest {
  number: number;
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** Status of the complete answer; null while there is none, and for ever if the connection was cut. */
  status: number | null;
}

/** Something that must hear when its connection closes. */
export interface ConnectionUser {
  connectionClosed(): void;
}

/** Everything one simulated server knows. */
export class ServerState {
  settings: Settings = changeSettings({});
  faults: FaultPlan = planFaults(this.settings);
  random: () => number = seededRandom(this.settings.seed);
  hooks: Hooks = {};
  /** True from a crash or stop until the restart. */
  down = false;
  readonly counters: Counters = newCounters();
  readonly slots = new Slots(this.counters);
  readonly prefixes = new PrefixCache();
  readonly log: LoggedRequest[] = [];
  readonly #connections = new Map<Socket, Set<ConnectionUser>>();
  readonly #idPrefix = `req_${randomBytes(8).toString('hex')}`;
  #lastId = 0;

  /** Unique among all servers and restarts. */
  nextRequestId(): string {
    this.#lastId += 1;
    return this.#idPrefix + this.#lastId.toString(36).padStart(6, '0');
  }

  /** Applies changes of settings at once, also to requests that wait. Throws InvalidSettings. */
  configure(changes: unknown): void {
    const previous = this.settings;
    this.settings = changeSettings(changes, previous);
    this.faults = planFaults(this.settings);
    if (this.settings.seed !== previous.seed) this.random = seededRandom(this.settings.seed);
    this.log.splice(0, this.log.length - this.settings.log_size);
    this.slots.resize(this.settings.slots, this.settings.queue);
  }

  /** Counters and log start anew, and so does the sequence of random numbers. */
  reset(): void {
    resetCounters(this.counters);
    this.log.length = 0;
    this.random = seededRandom(this.settings.seed);
  }

  logRequest(request: LoggedRequest): void {
    this.log.push(request);
    if (this.log.length > this.settings.log_size) this.log.shift();
  }

  watchConnection(socket: Socket): void {
    const users = new Set<ConnectionUser>();
    this.#connections.set(socket, users);
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const user of users) user.connectionClosed();
    });
  }

  /** Tells everyone at once that all connections are closed, as the sockets themselves will say only later. */
  closeConnections(): void {
    for (const users of this.#connections.values()) {
      for (const user of users) user.connectionClosed();
    }
  }

  /** Requests that share a connection by pipelining each hear of its end, which their own responses would not tell. */
  usersOf(socket: Socket): Set<ConnectionUser> | undefined {
    return this.#connections.get(socket);
  }
}
