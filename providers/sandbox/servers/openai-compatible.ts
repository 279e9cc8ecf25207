import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Counters } from './counters.ts';
import { listenerOf } from './listener.ts';
import type { Settings, SettingsChanges } from './settings.ts';
import { type Hooks, type LoggedRequest, ServerState } from './state.ts';

const HOST = '127.0.0.1';
const BACKLOG = 4096;

/** What can be changed at any time: every setting, and two functions for programs in the same process. */
export interface LiveOptions extends Omit<SettingsChanges, 'count_by'> {
  /** The text to answer a request with, for example a recorded one; undefined lets the server invent it. */
  answer?: NonNullable<Hooks['answer']> | undefined;
  /** A setting, or a function from the parsed body to the key to count it under. */
  count_by?: Settings['count_by'] | NonNullable<Hooks['countBy']> | undefined;
}

export interface ServerOptions extends LiveOptions {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  port?: number;
}

/** A simulated OpenAI-compatible server that listens on 127.0.0.1. */
export interface SimulatedServer {
  readonly port: number;
  /** `http://127.0.0.1:<port>`; health, metrics and control live here. */
  readonly url: string;
  /** `url` + `/v1`, for clients. */
  readonly baseUrl: string;
  /** Exact counts, live. */
  readonly counters: Readonly<Counters>;
  /** The last `log_size` requests, oldest first. */
  readonly requests: readonly LoggedRequest[];
  readonly settings: Readonly<Settings>;
  /** Changes options at once, also for requests that wait. Throws InvalidSettings and then changes nothing. */
  configure(options: LiveOptions): void;
  /** Counters, log and random sequence start anew. */
  reset(): void;
  /** Cuts every connection and refuses new ones, as a process that died; counters and settings stay. */
  crash(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
  /** Cuts every connection and frees the port. */
  stop(): Promise<void>;
}

/** Starts a simulated server. Throws InvalidSettings for wrong options and Node's error if the port is taken. */
export async function startOpenAICompatibleServer(options: ServerOptions = {}): Promise<SimulatedServer> {
  const { port: wantedPort = 0, ...live } = options;
  const state = new ServerState();
  configure(state, live);
  // No timers per request or connection: clients decide how long they wait and keep connections.
  const timeless = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
  const server = createServer({ ...timeless, noDelay: true }, listenerOf(state));
  server.on('connection', (socket) => state.watchConnection(socket));
  const port = await listen(server, wantedPort);
  let closed: Promise<void> | null = null;
  const goDown = () => {
    state.down = true;
    closed ??= closeAll(server, state);
    return closed;
  };
  const url = `http://${HOST}:${port}`;
  return {
    port,
    url,
    baseUrl: `${url}/v1`,
    counters: state.counters,
    requests: state.log,
    get settings() {
      return state.settings;
    },
    configure: (changes) => configure(state, changes),
    reset: () => state.reset(),
    crash: goDown,
    async restart() {
      if (!state.down) return;
      await closed;
      await listen(server, port);
      closed = null;
      state.down = false;
    },
    stop: goDown,
  };
}

function configure(state: ServerState, options: LiveOptions): void {
  const { answer, count_by: countBy, ...changes } = options;
  const asSetting = typeof countBy === 'function' ? 'none' : countBy;
  state.configure({ ...changes, ...(asSetting !== undefined && { count_by: asSetting }) });
  if ('answer' in options) state.hooks = { ...state.hooks, answer };
  if ('count_by' in options)
    state.hooks = { ...state.hooks, countBy: typeof countBy === 'function' ? countBy : undefined };
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: HOST, port, backlog: BACKLOG }, resolve);
  try {
    await promise;
  } finally {
    server.off('error', reject);
  }
  return (server.address() as AddressInfo).port;
}

async function closeAll(server: Server, state: ServerState): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  state.closeConnections();
  await promise;
}
