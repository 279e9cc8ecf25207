import type { IncomingMessage } from 'node:http';
import { type Answer, isRecord, type Question, type RequestBody } from './answer.ts';
import { answerChat } from './chat.ts';
import { checkRequest } from './checks.ts';
import { answerCompletion } from './completions.ts';
import { countOne } from './counters.ts';
import { answerEmbeddings } from './embeddings.ts';
import { type ErrorAnswer, faultError } from './errors.ts';
import { answerModeration } from './moderations.ts';
import type { Endpoint, EndpointRoute } from './paths.ts';
import { answerResponse } from './responses.ts';
import type { LoggedRequest, ServerState } from './state.ts';

const ANSWERS: Record<Endpoint, (question: Question) => Answer> = {
  '/v1/chat/completions': answerChat,
  '/v1/completions': answerCompletion,
  '/v1/embeddings': answerEmbeddings,
  '/v1/responses': answerResponse,
  '/v1/moderations': answerModeration,
};

/** The answer to a request, or the error that a server would state. */
export function prepareAnswer(
  state: ServerState,
  route: EndpointRoute,
  body: RequestBody | null,
  digest: string,
): Answer | ErrorAnswer {
  const { settings, faults, hooks, random } = state;
  const checked = checkRequest(route, body, settings);
  if ('status' in checked) return checked;
  const known = body ?? {};
  try {
    const forcedFinish = faults.forcedFinish(random);
    const recorded = hooks.answer?.(known);
    return ANSWERS[route.endpoint]({ ...checked, body: known, settings, digest, forcedFinish, recorded });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...faultError(500), message: `The simulated server could not make an answer: ${reason}` };
  }
}

/** Whether the request carries the key, as a bearer token or in Azure's header. */
export function hasKey(request: IncomingMessage, key: string): boolean {
  return request.headers.authorization === `Bearer ${key}` || request.headers['api-key'] === key;
}

/** Counts the request under its key, if one is wanted and found, and returns the key. */
export function countCustom(
  state: ServerState,
  request: IncomingMessage,
  body: RequestBody | null,
  digest: string,
): string | undefined {
  const key = customKey(state, request, body, digest);
  if (key !== undefined) countOne(state.counters.by_custom, key);
  return key;
}

function customKey(
  { settings, hooks }: ServerState,
  request: IncomingMessage,
  body: RequestBody | null,
  digest: string,
): string | undefined {
  if (hooks.countBy) return body === null ? undefined : hooks.countBy(body);
  const by = settings.count_by;
  if (by === 'none') return undefined;
  if (by === 'sha256') return digest;
  const found = 'header' in by ? request.headers[by.header.toLowerCase()] : valueAt(body, by.path);
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}

function valueAt(body: RequestBody | null, path: string): unknown {
  let value: unknown = body;
  for (const name of path.split('.')) {
    if (Array.isArray(value)) value = value[Number(name)];
    else if (isRecord(value) && Object.hasOwn(value, name)) value = value[name];
    else return undefined;
  }
  return value;
}

/** The request as the log keeps it, without its secrets. */
export function logEntry(request: IncomingMessage, number: number, raw: Buffer): LoggedRequest {
  const { authorization, 'api-key': apiKey, ...headers } = request.headers;
  return {
    number,
    method: request.method ?? '',
    path: request.url ?? '',
    headers: { ...headers, ...(authorization && { authorization: '…' }), ...(apiKey && { 'api-key': '…' }) },
    body: raw.toString(),
    status: null,
  };
}
