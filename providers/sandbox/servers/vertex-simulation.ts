import { isRecord } from './answer.ts';
import { messageEvents } from './anthropic-events.ts';
import { ObjectStore } from './gcs-objects.ts';
import { answerStorage, type GoogleAnswer, type GoogleCallRequest, googleError } from './gcs-routes.ts';
import { TokenService } from './google-token.ts';
import { generateContent, predict, rawPredict } from './vertex-answers.ts';
import { geminiEvents } from './vertex-events.ts';
import { SimulatedJobs } from './vertex-jobs.ts';
import {
  changeSimulation,
  defaultSimulation,
  type VertexChanges,
  type VertexFault,
  type VertexSimulation,
} from './vertex-settings.ts';

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
    streams_left: 0,
    uploads: 0,
    chunks: 0,
    downloads: 0,
    download_bytes: 0,
    listings: 0,
    deletes: 0,
  };
}

/** What one simulated service knows, and what it answers. */
export class Simulation {
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
    if (method === 'POST' && model !== null) {
      const asked = parse(body);
      const answer = this.#predict(model[1] ?? '', model[2] ?? '', asked);
      if (answer.status === 200 && isRecord(asked)) this.jobs.answered.add(asked);
      return answer;
    }
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
    if (verb === 'streamGenerateContent') return inEvents(generateContent(model, body, this.settings), geminiEvents);
    if (verb === 'streamRawPredict') return inEvents(rawPredict(model, unstreamed(body), this.settings), messageEvents);
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

function inEvents(
  answer: GoogleAnswer,
  cut: (body: Record<string, unknown>) => Record<string, unknown>[],
): GoogleAnswer {
  if (answer.status !== 200 || !isRecord(answer.body)) return answer;
  return { ...answer, events: cut(answer.body) };
}

/** A body that asks for a stream says so; answers do not depend on it. */
function unstreamed(body: unknown): unknown {
  if (!isRecord(body) || body.stream !== true) return { error: 'stream: Input should be true' };
  const { stream: _stream, ...asked } = body;
  return asked;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
