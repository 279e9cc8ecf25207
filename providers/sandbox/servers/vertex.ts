import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ObjectStore } from './gcs-objects.ts';
import { answerStorage, type GoogleAnswer, type GoogleCallRequest, googleError } from './gcs-routes.ts';
import { type ServiceAccountKey, TokenService } from './google-token.ts';
import { generateContent, predict, rawPredict } from './vertex-answers.ts';
import { SimulatedJobs } from './vertex-jobs.ts';
import {
  changeSimulation,
  defaultSimulation,
  type VertexChanges,
  type VertexFault,
  type VertexSimulation,
} from './vertex-settings.ts';

export interface VertexServerOptions extends VertexChanges {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  port?: number;
  /** Buckets that are there from the start. */
  buckets?: readonly string[];
}

/** Exact counts of requests that were read whole, by what they asked for, whatever became of them. */
export type VertexCounters = ReturnType<typeof newCounters>;

function newCounters() {
  return {
    tokens: 0,
    unauthorized: 0,
    creates: 0,
    gets: 0,
    lists: 0,
    cancels: 0,
    answers: 0,
    uploads: 0,
    chunks: 0,
    downloads: 0,
    download_bytes: 0,
    listings: 0,
    deletes: 0,
  };
}

/** A simulated Vertex AI with its Cloud Storage and token endpoint, on 127.0.0.1. */
export interface VertexServer {
  readonly port: number;
  /** For `base_url` and `storage_endpoint`. */
  readonly url: string;
  readonly tokenUrl: string;
  /** A key file that its token endpoint accepts. */
  readonly credentials: ServiceAccountKey;
  readonly counters: Readonly<VertexCounters>;
  readonly store: ObjectStore;
  readonly jobs: SimulatedJobs;
  readonly tokens: TokenService;
  configure(changes: VertexChanges): void;
  /** Takes every job one state further. */
  advance(): void;
  /** Cuts every connection and refuses new ones; what is stored stays. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const host = '127.0.0.1';

class Simulation {
  settings: VertexSimulation = defaultSimulation;
  readonly store = new ObjectStore();
  readonly jobs = new SimulatedJobs(this.store);
  readonly tokens = new TokenService();
  readonly counters = newCounters();

  configure(changes: VertexChanges): void {
    this.settings = changeSimulation(changes, this.settings);
    this.tokens.lifetimeSeconds = this.settings.token_seconds;
  }

  /** The fault of this request, if one is left for it. */
  takeFault({ method, url }: GoogleCallRequest): VertexFault | null {
    const text = `${method} ${url.pathname}${url.search}`;
    const fault = this.settings.faults.find(({ on, times }) => times > 0 && new RegExp(on).test(text)) ?? null;
    if (fault === null) return null;
    if (fault.skip > 0) {
      fault.skip -= 1;
      return null;
    }
    fault.times -= 1;
    return fault;
  }

  answer(request: GoogleCallRequest): GoogleAnswer {
    const { method, url, headers, body } = request;
    if (method === 'POST' && (url.pathname === '/token' || url.pathname === '/sts/v1/token')) {
      this.counters.tokens += 1;
      return this.tokens.exchange(body.toString());
    }
    if (url.pathname.startsWith('/computeMetadata/')) return this.#metadata(url, headers);
    if (!this.tokens.accepts(headers.authorization?.toString())) {
      this.counters.unauthorized += 1;
      return googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    this.#count(method, url);
    return (
      answerStorage(this.store, request, this.settings) ??
      this.#service(request) ??
      googleError(404, 'NOT_FOUND', `Not found: ${url.pathname}`)
    );
  }

  #metadata(url: URL, headers: GoogleCallRequest['headers']): GoogleAnswer {
    const flavor = { 'metadata-flavor': 'Google' };
    if (headers['metadata-flavor'] !== 'Google')
      return { status: 403, headers: flavor, body: 'Missing Metadata-Flavor.' };
    if (!url.pathname.endsWith('/token')) return { status: 200, headers: flavor, body: 'sim-project' };
    this.counters.tokens += 1;
    return { ...this.tokens.issue(), headers: flavor };
  }

  #service({ method, url, body }: GoogleCallRequest): GoogleAnswer | null {
    const path = decodeURIComponent(url.pathname);
    const model = /^\/v1\/projects\/[^/]+\/locations\/[^/]+\/publishers\/\w+\/models\/([\w.@-]+):(\w+)$/.exec(path);
    if (method === 'POST' && model !== null) return this.#predict(model[1] ?? '', model[2] ?? '', parse(body));
    const list = /^\/v1\/projects\/[^/]+\/locations\/([^/]+)\/batchPredictionJobs$/.exec(path);
    if (list !== null && method === 'POST') return this.jobs.create(list[1] ?? '', parse(body), this.settings);
    if (list !== null && method === 'GET') return this.jobs.list(url, this.settings);
    const job = /^\/v1\/(projects\/[^/]+\/locations\/[^/]+\/batchPredictionJobs\/\d+)(:cancel)?$/.exec(path);
    if (job === null) return null;
    const isCancel = method === 'POST' && job[2] !== undefined;
    return isCancel ? this.jobs.cancel(job[1] ?? '', this.settings) : this.jobs.get(job[1] ?? '', this.settings);
  }

  #predict(model: string, verb: string, body: unknown): GoogleAnswer {
    if (verb === 'generateContent') return generateContent(model, body, this.settings);
    if (verb === 'rawPredict') return rawPredict(model, body, this.settings);
    return verb === 'predict' ? predict(model, body) : googleError(404, 'NOT_FOUND', `Unknown method ${verb}.`);
  }

  #count(method: string, url: URL): void {
    const { counters } = this;
    const { pathname, searchParams } = url;
    if (pathname.startsWith('/upload/')) counters[method === 'PUT' ? 'chunks' : 'uploads'] += 1;
    else if (searchParams.get('alt') === 'media') counters.downloads += 1;
    else if (/^\/storage\/.*\/o$/.test(pathname)) counters.listings += 1;
    else if (method === 'DELETE') counters.deletes += 1;
    else if (pathname.endsWith(':cancel')) counters.cancels += 1;
    else if (/\/models\/[^/]+:\w+$/.test(pathname)) counters.answers += 1;
    else if (pathname.endsWith('/batchPredictionJobs')) counters[method === 'POST' ? 'creates' : 'lists'] += 1;
    else counters.gets += 1;
  }
}

/** Starts one. Throws InvalidSettings for wrong options and Node's error if the port is taken. */
export async function startVertexServer(options: VertexServerOptions = {}): Promise<VertexServer> {
  const { port: wantedPort = 0, buckets = ['sim-bucket'], ...changes } = options;
  const simulation = new Simulation();
  simulation.configure(changes);
  for (const bucket of buckets) simulation.store.makeBucket(bucket);
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    serve(simulation, request, response).catch(() => response.destroy());
  });
  const port = await listen(server, wantedPort);
  const url = `http://${host}:${port}`;
  const goDown = async () => {
    if (!server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  };
  return {
    port,
    url,
    tokenUrl: `${url}/token`,
    get credentials() {
      return simulation.tokens.key(`${url}/token`);
    },
    counters: simulation.counters,
    store: simulation.store,
    jobs: simulation.jobs,
    tokens: simulation.tokens,
    configure: (live) => simulation.configure(live),
    advance: () => simulation.jobs.advance(),
    crash: goDown,
    async restart() {
      if (!server.listening) await listen(server, port);
    },
    stop: goDown,
  };
}

async function serve(simulation: Simulation, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host}`);
  const { method = 'GET', headers } = incoming;
  const request: GoogleCallRequest = { method, url, headers, body: Buffer.concat(chunks) };
  const fault = simulation.takeFault(request);
  if (fault?.fault === 'hang') return;
  if (fault?.fault === 'reset') {
    response.destroy();
    return;
  }
  if (fault !== null && typeof fault.fault === 'number') {
    send(response, refusalOf(fault, fault.fault));
    return;
  }
  if (fault?.fault === 'echo') {
    send(response, googleError(400, 'INVALID_ARGUMENT', `You sent ${JSON.stringify(headers)}`));
    return;
  }
  if (fault?.fault === 'half' && method === 'PUT') return storeHalf(simulation, request, response);
  const answer = simulation.answer(request);
  if (fault?.fault === 'lost') response.destroy();
  else if (fault === null && answer.isDownload === true) await drip(response, answer, simulation.counters);
  else send(response, fault === null ? answer : spoil(answer, fault));
}

function refusalOf({ message, word, retry_after: retryAfter }: VertexFault, status: number): GoogleAnswer {
  const words: Record<number, string> = {
    400: 'INVALID_ARGUMENT',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    429: 'RESOURCE_EXHAUSTED',
    503: 'UNAVAILABLE',
  };
  const answer = googleError(
    status,
    word ?? words[status] ?? 'INTERNAL',
    message ?? `Simulated failure with status ${status}.`,
  );
  return retryAfter === undefined ? answer : { ...answer, headers: { 'retry-after': retryAfter } };
}

/** A connection that breaks in the middle of a chunk: the service keeps what came in, in its quanta. */
function storeHalf(simulation: Simulation, request: GoogleCallRequest, response: ServerResponse): void {
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(String(request.headers['content-range'])) ?? [];
  if (first !== undefined) {
    const quantum = 256 * 1024;
    const half = Math.floor((Number(last) - Number(first) + 1) / 2 / quantum) * quantum;
    const range = `bytes ${first}-${Number(first) + half - 1}/*`;
    const body = request.body.subarray(0, half);
    if (half > 0) simulation.answer({ ...request, body, headers: { ...request.headers, 'content-range': range } });
  }
  response.destroy();
}

function spoil(answer: GoogleAnswer, { fault }: VertexFault): GoogleAnswer {
  const whole = bytesOf(answer);
  if (fault === 'html')
    return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Bad Gateway</html>' };
  if (fault === 'empty') return { status: 200, body: '' };
  if (fault === 'truncated') return { status: 200, body: whole.subarray(0, Math.floor(whole.length / 2)) };
  if (fault === 'error')
    return { status: 200, body: { error: { code: 500, message: 'Internal', status: 'INTERNAL' } } };
  if (fault === 'short') return { ...answer, body: whole.subarray(0, Math.floor(whole.length / 2)), isUnstated: true };
  return { ...answer, cutAfter: Math.floor(whole.length / 2) };
}

function bytesOf({ body }: GoogleAnswer): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(body === null ? '' : typeof body === 'string' ? body : JSON.stringify(body));
}

function send(response: ServerResponse, answer: GoogleAnswer): void {
  const bytes = bytesOf(answer);
  const type = typeof answer.body === 'string' ? 'text/plain' : 'application/json; charset=UTF-8';
  const length = answer.isUnstated === true ? {} : { 'content-length': bytes.length };
  response.writeHead(answer.status, { 'content-type': type, ...length, ...answer.headers });
  if (answer.cutAfter === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, answer.cutAfter), () => response.destroy());
}

/** Sends a download piece by piece, no faster than it is taken, and counts what has gone. */
async function drip(response: ServerResponse, answer: GoogleAnswer, counters: VertexCounters): Promise<void> {
  const bytes = bytesOf(answer);
  const pieceBytes = 256 * 1024;
  response.writeHead(answer.status, { 'content-length': bytes.length, ...answer.headers });
  for (let start = 0; start < bytes.length && !response.destroyed; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes);
    counters.download_bytes += piece.length;
    if (!response.write(piece)) await roomIn(response);
  }
  response.end();
}

function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
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
