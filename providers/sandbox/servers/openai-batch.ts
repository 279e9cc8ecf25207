import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KeyOf } from './answered.ts';
import { answerBlob } from './azure-blob.ts';
import { listenerOf } from './listener.ts';
import { BatchExchange, readBatchPath } from './openai-batch-http.ts';
import {
  type BatchSettings,
  type BatchSettingsChanges,
  batchDefaults,
  changeBatchSettings,
} from './openai-batch-settings.ts';
import { type BatchCounters, BatchStore } from './openai-batch-store.ts';
import { InvalidSettings } from './settings.ts';
import { ServerState } from './state.ts';

const host = '127.0.0.1';
const largestBody = 1024 * 1024 * 1024;

export interface BatchServerOptions extends BatchSettingsChanges {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  port?: number;
  /** What `answered` counts by. */
  count_by?: KeyOf;
}

/** A simulated service with OpenAI's (or Azure's, Together's, Mistral's) files and batches, which also answers at once. */
export interface SimulatedBatchServer {
  readonly port: number;
  /** `http://127.0.0.1:<port>`: Azure's endpoint. */
  readonly url: string;
  /** `url` + `/v1`: OpenAI's base URL. */
  readonly baseUrl: string;
  readonly counters: Readonly<BatchCounters>;
  /** Good answers, of calls and of batches that have ended, by `count_by`: of batches as far as they were looked at. */
  readonly answered: ReadonlyMap<string, number>;
  readonly settings: Readonly<BatchSettings>;
  /** Batches that can still cost money, and files held; those of `addForeign` not counted. */
  held(): { live: number; files: number };
  /** Changes settings at once. Throws InvalidSettings and then changes nothing. */
  configure(changes: BatchSettingsChanges): void;
  /** The time of every unfinished batch is over, where batches expire (Azure's do not). */
  expire(): void;
  /** A batch and a file that somebody else made. */
  addForeign(): void;
  /** Cuts every connection and refuses new ones; files and batches stay. */
  crash(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a simulated batch service. Throws InvalidSettings for wrong options and Node's error if the port is taken. */
export async function startOpenAIBatchServer(options: BatchServerOptions = {}): Promise<SimulatedBatchServer> {
  const { port: wantedPort = 0, count_by: countBy, ...changes } = options;
  const answers = new ServerState();
  answers.hooks = { countBy };
  const store = new BatchStore(batchDefaults, answers);
  configure(store, changes);
  const server = createServer({ noDelay: true, requestTimeout: 0 }, listener(store, answers));
  const port = await listen(server, wantedPort);
  const url = `http://${host}:${port}`;
  return {
    port,
    url,
    baseUrl: `${url}/v1`,
    counters: store.counters,
    answered: answers.counters.answered_by_custom,
    get settings() {
      return store.settings;
    },
    held: () => held(store),
    configure: (changed) => configure(store, changed),
    expire: () => expire(store),
    addForeign: () => addForeign(store),
    crash: () => close(server),
    async restart() {
      await listen(server, port);
    },
    stop: () => close(server),
  };
}

/** `/__control/batches/<action>` steers the service from another process; what is no file and no batch is answered at once. */
function listener(
  store: BatchStore,
  answers: ServerState,
): (request: IncomingMessage, response: ServerResponse) => void {
  const immediate = listenerOf(answers);
  return (request, response) => {
    const { method = 'GET', url = '/' } = request;
    if (url.startsWith('/blobs/') && store.settings.flavour === 'azure') {
      readAll(request, (raw) => answerBlob(store, request, response, raw));
      return;
    }
    const task = readBatchPath(method, url);
    const action = /^\/__control\/batches\/(\w+)$/.exec(url)?.[1];
    if (task === null && action === undefined) {
      immediate(request, response);
      return;
    }
    readAll(request, (raw) => {
      if (task === null) {
        control(store, `${method} ${action}`, raw, response);
        return;
      }
      const exchange = new BatchExchange(store, request, response, answers.nextRequestId());
      exchange.handle(task, raw).catch((error: unknown) => response.destroy(error as Error));
    });
  };
}

function control(store: BatchStore, action: string, raw: Buffer, response: ServerResponse): void {
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  try {
    if (action === 'POST configure') configure(store, JSON.parse(raw.toString()) as BatchSettingsChanges);
    else if (action === 'POST expire') expire(store);
    else if (action !== 'GET counters') throw new InvalidSettings(`there is no control action '${action}'`);
    send(200, { counters: store.counters, ...held(store) });
  } catch (error) {
    if (!(error instanceof InvalidSettings) && !(error instanceof SyntaxError)) throw error;
    send(400, { error: { message: error.message } });
  }
}

function configure(store: BatchStore, changes: BatchSettingsChanges): void {
  const settings = changeBatchSettings(changes, store.settings);
  const { api_key: apiKey, models } = settings;
  if (changes.answers !== undefined || changes.api_key !== undefined || changes.models !== undefined) {
    store.answers.configure({ ...settings.answers, api_key: apiKey, ...(models && { models, strict_models: true }) });
  }
  store.settings = settings;
}

function held(store: BatchStore): { live: number; files: number } {
  const batches = [...store.batches.values()].filter(({ foreign }) => !foreign).map((batch) => store.settle(batch));
  return {
    live: batches.filter(({ endedMs }) => endedMs === null).length,
    files: [...store.files.values()].filter(({ foreign }) => !foreign).length,
  };
}

function expire(store: BatchStore): void {
  if (store.settings.flavour === 'azure') return;
  for (const batch of store.batches.values()) batch.isOverdue = true;
}

function addForeign(store: BatchStore): void {
  const row = { custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { model: 'm', messages: [] } };
  const bytes = Buffer.from(`${JSON.stringify(row)}\n`);
  const purpose = store.settings.flavour === 'together' ? 'batch-api' : 'batch';
  const file = store.addFile({ bytes, filename: 'evening-run.jsonl', purpose, expiresAfter: null }, true);
  const order = { endpoint: '/v1/chat/completions', model: 'm', inputFileId: file.id, window: '24h' };
  store.addBatch({ ...order, metadata: { owner: 'somebody else' } }, true);
}

function readAll(request: IncomingMessage, done: (raw: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > largestBody) request.destroy();
    else chunks.push(chunk);
  });
  request.on('end', () => done(Buffer.concat(chunks)));
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host, port }, resolve);
  try {
    await promise;
  } finally {
    server.off('error', reject);
  }
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
