import { Buffer } from 'node:buffer';
import { tryParseExact } from '../../src/core/exact-json.ts';
import { type SseEvent, SseReader } from '../../src/core/sse.ts';
import { HttpFailure, type HttpResponse, type HttpStream } from '../../src/ports/http-client.ts';
import { type Failed, ProviderError, type Result } from '../contract.ts';
import type { AnswerContext } from './answer.ts';
import { type Fields, isFields } from './error-body.ts';
import { badResponse, failureOfCall } from './openai-status.ts';

const eventLengthMax = 16 * 1024 ** 2;

/** The server-sent events of an answer. Throws RangeError for one that is too long. */
export async function* readEvents(response: HttpStream): AsyncGenerator<SseEvent> {
  const reader = new SseReader(eventLengthMax);
  const decoder = new TextDecoder();
  for await (const bytes of response.body) yield* reader.push(decoder.decode(bytes, { stream: true }));
  const last = reader.end();
  if (last !== null) yield last;
}

/** The data of an event. Throws ProviderError for anything but an object. */
export function readData(data: string, status: number, { provider }: AnswerContext): Fields {
  const json = tryParseExact(data);
  if (isFields(json)) return json;
  throw new ProviderError(badResponse(status, `${provider} sent an event that is no JSON.`));
}

/** The objects that an answer's server-sent events carry. Throws as the two above. */
export async function* readObjects(response: HttpStream, context: AnswerContext): AsyncGenerator<Fields> {
  for await (const { data } of readEvents(response)) yield readData(data, response.status, context);
}

/** Whether an answer is a stream of the wanted type. */
export function isStreamOf(type: string, { status, headers }: HttpStream): boolean {
  return status >= 200 && status < 300 && headers['content-type']?.startsWith(type) === true;
}

/** What an answer that is no stream means, read by `read`: an error, or a whole answer, which nobody asked for. */
export async function refusedStream(
  response: HttpStream,
  { provider }: AnswerContext,
  read: (response: HttpResponse) => Result,
): Promise<Failed> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const { status, headers } = response;
  const result = read({ status, headers, body: Buffer.concat(chunks) });
  if (!result.ok) return result;
  const failure = badResponse(status, `${provider} answered a request for a stream with a whole answer.`);
  return { ...result, ok: false, failure, body: null };
}

/** A stream that ended before it said that the answer is whole. */
export function brokenStream(context: AnswerContext): ProviderError {
  return new ProviderError(failureOfCall(new HttpFailure('reset', true, 'the stream broke off'), context));
}
