import type { SseEvent } from '../../src/core/sse.ts';
import type { HttpStream } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { type AnswerStream, type Failed, type ImmediateApi, ProviderError, type StreamPiece } from '../contract.ts';
import { type AnswerContext, requestIdOf } from './answer.ts';
import { isFields, readErrorBody } from './error-body.ts';
import type { OpenAIAccess, UrlOf } from './openai-client.ts';
import { type ResultReaders, resultOf, resultOfCall } from './openai-results.ts';
import { badResponse, failureOfCall } from './openai-status.ts';
import { brokenStream, isStreamOf, readData, readEvents, refusedStream } from './stream-answer.ts';

type Fields = Readonly<Record<string, unknown>>;
type Call = Parameters<ImmediateApi['stream']>[2];
type Request = Parameters<ImmediateApi['stream']>[0];

/** The contract's `stream` for a service that speaks OpenAI's shapes. Asks for the usage, which only some send unasked. */
export function createStream(access: OpenAIAccess, urlOf: UrlOf, readers: ResultReaders): ImmediateApi['stream'] {
  return async (request, options, call) => {
    const context: AnswerContext = { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs };
    const url = urlOf(call.member, request.endpoint, request.model);
    const ask = async (body: string): Promise<AnswerStream | Failed> => {
      const response = await open(access, url, body, call);
      if (isStreamOf('text/event-stream', response)) return toStream(request.endpoint, response, context, readers);
      return refusedStream(response, context, (whole) => resultOf(request.endpoint, whole, context, readers));
    };
    try {
      const asked = await ask(streamBody(request, options));
      return asked.ok || !knowsNoStreamOptions(asked) ? asked : await ask(streamBody(request, null));
    } catch (error) {
      return resultOfCall(error, context);
    }
  };
}

function open(access: OpenAIAccess, url: string, body: string, call: Call): Promise<HttpStream> {
  return call.http.stream({
    method: 'POST',
    url,
    headers: { ...access.headers, accept: 'text/event-stream' },
    body,
    timeoutMs: call.timeoutMs,
    maxResponseBytes: call.maxResponseBytes,
    signal: call.signal,
  });
}

/** The request with streaming on. A converted body is an object without `stream` and `stream_options`. */
function streamBody({ endpoint, body }: Request, options: Fields | null): string {
  const isResponses = endpoint === '/v1/responses';
  const asked = options === null || isResponses ? { ...options } : { ...options, include_usage: true };
  const members = Object.keys(asked).length === 0 ? '' : `,"stream_options":${JSON.stringify(asked)}`;
  return `${body.slice(0, -1)},"stream":true${members}}`;
}

/** Servers that check strictly and do not know the option refuse it by name. */
function knowsNoStreamOptions({ failure }: Failed): boolean {
  return (failure.status === 400 || failure.status === 422) && /stream_options|include_usage/.test(failure.message);
}

function toStream(
  endpoint: Endpoint,
  response: HttpStream,
  context: AnswerContext,
  readers: ResultReaders,
): AnswerStream {
  const { status, headers } = response;
  return {
    ok: true,
    status,
    requestId: requestIdOf(headers),
    pieces: readPieces(endpoint, response, context, readers),
  };
}

async function* readPieces(
  endpoint: Endpoint,
  response: HttpStream,
  context: AnswerContext,
  readers: ResultReaders,
): AsyncGenerator<StreamPiece> {
  let complete = false;
  try {
    for await (const event of readEvents(response)) {
      if (event.data === '[DONE]') return;
      const piece = pieceOf(endpoint, event, response.status, context, readers);
      complete ||= piece.finishReason !== null;
      yield piece;
      if (endpoint === '/v1/responses' && complete) return;
    }
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    throw new ProviderError(failureOfCall(error, context));
  }
  // Some servers end without a word; then the finish reason tells whether it was the end.
  if (!complete) throw brokenStream(context);
}

/** Throws ProviderError for an event that is an error, or nothing that can be read. */
function pieceOf(
  endpoint: Endpoint,
  { event, data }: SseEvent,
  status: number,
  context: AnswerContext,
  readers: ResultReaders,
): StreamPiece {
  const json = readData(data, status, context);
  const isResponses = endpoint === '/v1/responses';
  const failure = statedFailure(json, isResponses, status, context);
  if (failure !== null) throw new ProviderError(failure);
  const finishReason = isResponses ? responseEnd(json) : finishOf(json);
  if (finishReason === 'abort' || finishReason === 'error') {
    const message = `${context.provider} gave up the generation before it was complete.`;
    throw new ProviderError({ ...badResponse(status, message, 'aborted'), kind: 'server_error' });
  }
  const inner = isResponses && isFields(json.response) ? json.response : json;
  const { usage, raw } = readers.readUsage(inner);
  return {
    event,
    data: data.includes('\n') ? JSON.stringify(json) : data,
    content: isResponses ? isContentEvent(json) : hasContent(json),
    usageOnly: !isResponses && usage !== null && Array.isArray(json.choices) && json.choices.length === 0,
    usage,
    rawUsage: raw,
    servedModel: typeof inner.model === 'string' ? inner.model : null,
    finishReason,
    serviceTier: typeof inner.service_tier === 'string' ? inner.service_tier : null,
  };
}

/** `{"error": …}` in a chunk, or the Responses API's `error` and `response.failed`. */
function statedFailure(json: Fields, isResponses: boolean, status: number, { provider, secrets }: AnswerContext) {
  const response = isFields(json.response) ? json.response : {};
  const stated = isResponses && json.type === 'response.failed' ? response : json;
  const isError = (stated.error !== undefined && stated.error !== null) || (isResponses && json.type === 'error');
  if (!isError) return null;
  const words = readErrorBody(stated, secrets);
  const failure = badResponse(status, words.message || `${provider} broke the stream off with an error.`);
  return { ...failure, kind: 'server_error' as const, code: words.code ?? 'server_error' };
}

function isContentEvent(json: Fields): boolean {
  return typeof json.type === 'string' && json.type.endsWith('.delta');
}

function hasContent(json: Fields): boolean {
  if (!Array.isArray(json.choices)) return false;
  return json.choices.some((choice: unknown) => {
    if (!isFields(choice)) return false;
    if (typeof choice.text === 'string' && choice.text !== '') return true;
    const { delta } = choice;
    if (!isFields(delta)) return false;
    const said = [delta.content, delta.refusal, delta.reasoning_content, delta.reasoning];
    return said.some((text) => typeof text === 'string' && text !== '') || Array.isArray(delta.tool_calls);
  });
}

function finishOf(json: Fields): string | null {
  const choices: unknown[] = Array.isArray(json.choices) ? json.choices : [];
  for (const choice of choices)
    if (isFields(choice) && typeof choice.finish_reason === 'string') return choice.finish_reason;
  return null;
}

function responseEnd(json: Fields): string | null {
  if (json.type !== 'response.completed' && json.type !== 'response.incomplete') return null;
  const details =
    isFields(json.response) && isFields(json.response.incomplete_details) ? json.response.incomplete_details : {};
  return typeof details.reason === 'string' ? details.reason : String(json.type).slice('response.'.length);
}
