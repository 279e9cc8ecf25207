import type { IncomingMessage, ServerResponse } from 'node:http';
import { control } from './control.ts';
import { type ErrorAnswer, errorBody, unknownModel, wrongKey } from './errors.ts';
import { Exchange } from './exchange.ts';
import { hasKey } from './intake.ts';
import { metricsText } from './metrics.ts';
import { modelCard, modelList } from './models.ts';
import { type Route, readPath } from './paths.ts';
import type { ServerState } from './state.ts';

const LARGEST_BODY_BYTES = 256 * 1024 * 1024;

/** The request listener of a simulated server. */
export function listenerOf(state: ServerState): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const route = readPath(request.url ?? '/');
    if (route.kind === 'endpoint' && request.method === 'POST') {
      const exchange = new Exchange(state, route, request, response);
      readBody(request, (raw) => exchange.receive(raw));
      return;
    }
    state.counters.other_requests += route.kind === 'control' ? 0 : 1;
    readBody(request, (raw) => {
      const { status, type, body } = answerOther(state, route, request, raw);
      response.writeHead(status, { 'content-type': type, 'x-request-id': state.nextRequestId() });
      response.end(body);
    });
  };
}

/** Collects the body; null when it is larger than the server keeps. A request that is cut off is dropped. */
function readBody(request: IncomingMessage, done: (raw: Buffer | null) => void): void {
  let first: Buffer | null = null;
  let all: Buffer[] | null = null;
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > LARGEST_BODY_BYTES) return;
    if (first === null) first = chunk;
    else if (all === null) all = [first, chunk];
    else all.push(chunk);
  });
  request.on('end', () => {
    if (size > LARGEST_BODY_BYTES) done(null);
    else done(all === null ? (first ?? Buffer.alloc(0)) : Buffer.concat(all));
  });
}

interface OtherAnswer {
  status: number;
  type: string;
  body: string;
}

function answerOther(state: ServerState, route: Route, request: IncomingMessage, raw: Buffer | null): OtherAnswer {
  const { settings, counters } = state;
  const method = request.method ?? 'GET';
  switch (route.kind) {
    case 'control': {
      const { status, body } = control(state, method, route.action, raw?.toString() ?? '');
      return { status, type: 'application/json', body: JSON.stringify(body) };
    }
    case 'health':
      return { status: settings.health_status, type: 'text/plain', body: '' };
    case 'metrics': {
      const text = metricsText(settings, counters);
      if (text === null) return notFound(state, request);
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: text };
    }
    case 'models':
      return answerModels(state, route, request);
    case 'endpoint': {
      const message = `Not allowed to ${method} on ${request.url}. (HINT: Perhaps you meant to use a different HTTP method?)`;
      return failure(state, { status: 405, message, type: 'invalid_request_error', code: 'method_not_supported' });
    }
    case 'unknown':
      return notFound(state, request);
  }
}

function answerModels(state: ServerState, route: Route & { kind: 'models' }, request: IncomingMessage): OtherAnswer {
  const { settings } = state;
  if (settings.api_key !== null && !hasKey(request, settings.api_key)) return failure(state, wrongKey(route.azure));
  if (route.model === null) return { status: 200, type: 'application/json', body: JSON.stringify(modelList(settings)) };
  if (!settings.models.includes(route.model)) return failure(state, unknownModel(route.model, false));
  return { status: 200, type: 'application/json', body: JSON.stringify(modelCard(settings, route.model)) };
}

function notFound(state: ServerState, request: IncomingMessage): OtherAnswer {
  const message = `Invalid URL (${request.method} ${request.url})`;
  return failure(state, { status: 404, message, type: 'invalid_request_error' });
}

function failure({ settings }: ServerState, error: ErrorAnswer): OtherAnswer {
  return { status: error.status, type: 'application/json', body: errorBody(error, settings.error_shape) };
}
