import type { HttpResponse, HttpStream } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { type AnswerStream, type Failed, ProviderError, type Result, type StreamPiece } from '../contract.ts';
import type { AnswerContext } from './answer.ts';
import type { ChatMapper } from './chat-chunks.ts';
import type { Fields } from './error-body.ts';
import { failureOfCall } from './openai-status.ts';
import { piecesFor } from './responses-as-chat-stream.ts';
import { isStreamOf, readObjects, refusedStream } from './stream-answer.ts';

/** How a service's own stream is read. */
export interface NativeStream {
  endpoint: Endpoint;
  context: AnswerContext;
  requestId: string | null;
  mapper: ChatMapper;
  /** What an answer that is no stream means. */
  whole(response: HttpResponse): Result;
  /** Its content type; server-sent events by default. */
  type?: string;
  /** Cuts it into events; throws ProviderError. By default they are the data of server-sent events. */
  events?(response: HttpStream): AsyncIterable<Fields>;
}

/**
 * The contract's answer in pieces from a service that streams in a form of its own. Resolves when there is something to
 * say: what goes wrong before that is a failed Result. Throws what reading a whole answer throws.
 */
export async function toAnswerStream(response: HttpStream, stream: NativeStream): Promise<AnswerStream | Failed> {
  const { context, requestId } = stream;
  if (!isStreamOf(stream.type ?? 'text/event-stream', response)) {
    return refusedStream(response, context, stream.whole);
  }
  const pieces = readPieces(response, stream);
  const first: StreamPiece[] = [];
  try {
    while (first.every(({ usageOnly }) => usageOnly)) {
      const next = await pieces.next();
      if (next.done === true) break;
      first.push(next.value);
    }
  } catch (error) {
    const failure = error instanceof ProviderError ? error.failure : failureOfCall(error, context);
    const { usage = null, rawUsage = null } = first.at(-1) ?? {};
    return { ok: false, failure, requestId, body: null, usage, rawUsage };
  }
  return { ok: true, status: response.status, requestId, pieces: followed(first, pieces) };
}

async function* followed(
  first: readonly StreamPiece[],
  rest: AsyncGenerator<StreamPiece>,
): AsyncGenerator<StreamPiece> {
  try {
    yield* first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* readPieces(response: HttpStream, stream: NativeStream): AsyncGenerator<StreamPiece> {
  const { endpoint, context, mapper } = stream;
  const out = piecesFor(endpoint);
  try {
    for await (const event of stream.events?.(response) ?? readObjects(response, context)) {
      for (const piece of mapper.push(event)) yield* out.push(piece);
      if (mapper.isOver) break;
    }
    for (const piece of mapper.end()) yield* out.push(piece);
    yield* out.end();
  } catch (error) {
    throw error instanceof ProviderError ? error : new ProviderError(failureOfCall(error, context));
  }
}
