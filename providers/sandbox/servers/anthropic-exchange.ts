import type { Answered } from './answered.ts';
import { answerMessages } from './anthropic-answer.ts';
import type { BatchBook, BatchRequest } from './anthropic-batches.ts';
import { checkBatch, checkMessages } from './anthropic-checks.ts';
import { type AnthropicError, errorObject, invalid, notFound, usualError } from './anthropic-errors.ts';
import { messageEvents } from './anthropic-events.ts';
import { sendResults } from './anthropic-results.ts';
import type { AnthropicCall, AnthropicServerSettings } from './anthropic-settings.ts';
import { parseBody } from './checks.ts';
import { sendFrames, sseFrame } from './native-streams.ts';
import type { ReceivedRequest } from './s3-listening.ts';

/** What the calls of a simulated service share. */
export interface AnthropicState {
  settings: AnthropicServerSettings;
  readonly book: BatchBook;
  readonly answered: Answered;
  /** Requests received, by call. */
  readonly calls: Map<AnthropicCall, number>;
  sentBytes: number;
  /** Streams that their clients left. */
  streamsLeft: number;
  requestNumber: number;
  origin: string;
}

interface Route {
  call: AnthropicCall;
  id: string;
}

const routes: Readonly<Record<string, AnthropicCall>> = {
  'POST messages': 'messages',
  'POST messages/batches': 'create',
  'GET messages/batches': 'list',
  'GET messages/batches/:id': 'retrieve',
  'POST messages/batches/:id/cancel': 'cancel',
  'GET messages/batches/:id/results': 'results',
  'DELETE messages/batches/:id': 'delete',
  'GET models': 'models',
};

function routeOf({ method, url }: ReceivedRequest): Route | null {
  const match = /^\/v1\/(messages\/batches|messages|models)(?:\/([^/]+))?(?:\/(cancel|results))?$/.exec(url.pathname);
  if (match === null) return null;
  const [, base = '', id, verb] = match;
  const call = routes[`${method} ${base}${id === undefined ? '' : '/:id'}${verb === undefined ? '' : `/${verb}`}`];
  return call === undefined ? null : { call, id: decodeURIComponent(id ?? '') };
}

/** Answers one request to the simulated service, or commits the fault that is due. */
export function answerAnthropic(state: AnthropicState, received: ReceivedRequest): void {
  state.requestNumber += 1;
  const route = routeOf(received);
  if (route === null) {
    send(state, received, 404, errorObject(notFound('Not found'), null));
    return;
  }
  state.calls.set(route.call, (state.calls.get(route.call) ?? 0) + 1);
  const refused = checkHeaders(state.settings, received.headers);
  if (refused !== null) {
    sendError(state, received, refused);
    return;
  }
  const fault = takeFault(state, route.call);
  if (fault !== null && commit(state, received, fault)) return;
  const go = () => {
    if (route.call === 'results') {
      results(state, received, route.id);
      return;
    }
    const answer = perform(state, received, route);
    if (fault === 'lost_answer') received.request.socket.resetAndDestroy();
    else if (isError(answer)) sendError(state, received, answer);
    else if (fault === null && route.call === 'messages' && wantsStream(received)) stream(state, received, answer);
    else sendWhole(state, received, JSON.stringify(answer), fault);
  };
  if (route.call === 'messages' && state.settings.latency_ms > 0) setTimeout(go, state.settings.latency_ms);
  else go();
}

function isError(answer: object): answer is AnthropicError {
  return 'status' in answer && 'type' in answer && 'message' in answer;
}

function checkHeaders(
  { api_key: key }: AnthropicServerSettings,
  headers: Record<string, string>,
): AnthropicError | null {
  const given = headers['x-api-key'] ?? /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  if (key !== null && given === undefined) return { ...usualError(401), message: 'x-api-key header is required' };
  if (key !== null && given !== key) return usualError(401);
  const version = headers['anthropic-version'];
  if (version === undefined) return invalid('anthropic-version: header is required');
  return version === '2023-06-01' || version === '2026-10-21'
    ? null
    : invalid(`anthropic-version: ${version} is not valid`);
}

type Fault = NonNullable<AnthropicServerSettings['fail_with']>;

function takeFault(state: AnthropicState, call: AnthropicCall): Fault | null {
  const { fail_on: on, fail_with: fault, fail_count: count } = state.settings;
  if (fault === null || count === 0 || (on !== 'any' && on !== call)) return null;
  if (count !== null) state.settings = { ...state.settings, fail_count: count - 1 };
  return fault;
}

/** Commits a fault that comes instead of the work; false for one that comes after it. */
function commit(state: AnthropicState, received: ReceivedRequest, fault: Fault): boolean {
  const { fail_type: type, fail_message: message } = state.settings;
  if (fault === 'reset') received.request.socket.resetAndDestroy();
  else if (fault === 'echo') sendError(state, received, invalid(`you sent ${JSON.stringify(received.headers)}`));
  else if (typeof fault === 'number') {
    const usual = usualError(fault);
    sendError(state, received, { status: fault, type: type ?? usual.type, message: message ?? usual.message });
  } else return fault === 'hang';
  return true;
}

function perform(state: AnthropicState, received: ReceivedRequest, { call, id }: Route): object {
  const { settings, book, origin } = state;
  const version = received.headers['anthropic-version'] ?? '';
  switch (call) {
    case 'messages': {
      const body = parseBody(received.body);
      if (body === null) return invalid('The request body is not valid JSON');
      const { stream: _stream, ...asked } = body;
      const problem = checkMessages(body, settings.models, version);
      if (problem !== null) return problem;
      state.answered.add(body);
      return answerMessages(asked, settings, 'standard');
    }
    case 'create':
      return create(state, received, version);
    case 'list':
      return page(
        book.list().map((batch) => book.view(batch, origin)),
        received.url.searchParams,
      );
    case 'models': {
      const models = settings.models.map((model) => ({
        id: model,
        type: 'model',
        display_name: model,
        created_at: '2026-01-01T00:00:00Z',
      }));
      return page(models, received.url.searchParams);
    }
    case 'retrieve':
    case 'cancel':
    case 'delete':
    case 'results':
      return onBatch(state, call, id);
  }
}

function create(state: AnthropicState, { body }: ReceivedRequest, version: string): object {
  const { settings, book, origin } = state;
  if (body.length > settings.max_bytes) return { ...usualError(413), message: 'Request exceeds the maximum size' };
  const parsed = parseBody(body);
  const problem = checkBatch(parsed, settings.max_requests);
  if (problem !== null) return problem;
  const requests = parsed?.requests as BatchRequest[];
  if (settings.queue_limit !== null && book.queued() + requests.length > settings.queue_limit) {
    const message = `This request would exceed the limit of ${settings.queue_limit} batch requests in the processing queue.`;
    return { ...usualError(429), message };
  }
  return book.view(book.create(requests, version), origin);
}

function onBatch(state: AnthropicState, call: AnthropicCall, id: string): object {
  const { book, origin } = state;
  const batch = book.get(id);
  if (batch === null) return notFound(`Batch ${id} not found`);
  if (call === 'retrieve') return retrieved(state, book.view(batch, origin));
  if (call === 'cancel') {
    if (batch.endedMs !== null) return invalid(`Batch ${id} has already ended and cannot be canceled.`);
    book.cancel(batch);
    return book.view(batch, origin);
  }
  if (batch.endedMs === null) return invalid(`Batch ${id} is still in progress; cancel it before it is deleted.`);
  book.delete(id);
  return { id, type: 'message_batch_deleted' };
}

/** What a retrieve call tells, which need not be the truth. */
function retrieved(state: AnthropicState, view: ReturnType<BatchBook['view']>): object {
  const { status_word: word, status_word_count: words, late_results: late } = state.settings;
  if (word !== null && words > 0) {
    state.settings = { ...state.settings, status_word_count: words - 1 };
    return { ...view, processing_status: word, ended_at: null, results_url: null };
  }
  if (late === 0 || view.results_url === null) return view;
  state.settings = { ...state.settings, late_results: late - 1 };
  return { ...view, results_url: null };
}

function page(items: readonly { id: string }[], query: URLSearchParams): object {
  const limit = Number(query.get('limit') ?? 20);
  const after = query.get('after_id');
  const start = after === null ? 0 : items.findIndex(({ id }) => id === after) + 1;
  const data = items.slice(start, start + limit);
  return {
    data,
    has_more: start + limit < items.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

function results(state: AnthropicState, received: ReceivedRequest, id: string): void {
  const { settings } = state;
  const batch = state.book.get(id);
  if (batch === null) sendError(state, received, notFound(`Batch ${id} not found`));
  else if (batch.endedMs === null) sendError(state, received, notFound(`Batch ${id} has no available results.`));
  else if (settings.archived) sendError(state, received, notFound(`The results of batch ${id} have expired.`));
  else {
    state.settings = { ...settings, cut_results: null };
    void sendResults(received.response, state.book.lines(batch), settings, (bytes) => {
      state.sentBytes += bytes;
    });
  }
}

function sendWhole(state: AnthropicState, received: ReceivedRequest, text: string, fault: Fault | null): void {
  const shown: Partial<Record<string, string>> = {
    html: '<html><body>Bad gateway</body></html>',
    empty: '',
    truncated: text.slice(0, Math.floor(text.length / 2)),
    error_object: JSON.stringify(errorObject(usualError(500), null)),
  };
  const type = fault === 'html' ? 'text/html' : 'application/json';
  write(state, received, 200, (typeof fault === 'string' ? shown[fault] : undefined) ?? text, type);
}

function wantsStream({ body }: ReceivedRequest): boolean {
  return parseBody(body)?.stream === true;
}

function stream(state: AnthropicState, { response }: ReceivedRequest, message: object): void {
  const { stream: settings } = state.settings;
  const stated = settings.error_name === null ? usualError(529) : { ...usualError(500), type: settings.error_name };
  const frames = messageEvents({ ...message }).map((event) => sseFrame(String(event.type), event));
  const error = sseFrame('error', errorObject(stated, null));
  const headers = { 'request-id': requestId(state), 'cache-control': 'no-cache' };
  const onEnd = (isWhole: boolean): void => {
    if (!isWhole) state.streamsLeft += 1;
  };
  void sendFrames(response, { type: 'text/event-stream; charset=utf-8', headers, frames, error, onEnd }, settings);
}

function sendError(state: AnthropicState, received: ReceivedRequest, error: AnthropicError): void {
  send(state, received, error.status, errorObject(error, requestId(state)));
}

function send(state: AnthropicState, received: ReceivedRequest, status: number, body: object): void {
  write(state, received, status, JSON.stringify(body), 'application/json');
}

function requestId({ requestNumber }: AnthropicState): string {
  return `req_${String(requestNumber).padStart(10, '0')}`;
}

function write(state: AnthropicState, { response }: ReceivedRequest, status: number, text: string, type: string): void {
  const { retry_after: wait, location } = state.settings;
  response.writeHead(status, {
    'content-type': type,
    'content-length': String(Buffer.byteLength(text)),
    'request-id': requestId(state),
    ...(status >= 400 && wait !== null && { 'retry-after': wait }),
    ...(status >= 300 && status < 400 && location !== null && { location }),
  });
  response.end(text);
}
