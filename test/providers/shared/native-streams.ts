import fc from 'fast-check';
import type { AnswerStream, Failed, Result, StreamPiece } from '../../../providers/contract.ts';
import { answerAs } from '../../../providers/shared/responses-as-chat.ts';
import { StreamAssembler } from '../../../src/core/assemble-stream.ts';
import type { HttpStream } from '../../../src/ports/http-client.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';

export const endpoints = ['/v1/chat/completions', '/v1/responses', '/v1/completions'] as const;

/** Text with what is hard to cut: characters of several bytes, line ends, quotes. */
export const texts = fc.oneof(
  fc.constantFrom('Hello', 'où ça ? 🙂\r\n\ndata: "x"', '\u2028', 'a'.repeat(200)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
);

/** Where bytes are cut: shares of their length. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

export function inPieces(bytes: Uint8Array, at: readonly number[], type: string, headers = {}): HttpStream {
  const places = [0, ...at.map((share) => Math.floor(share * bytes.length)), bytes.length].toSorted((a, b) => a - b);
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const [index, start] of places.entries()) {
      const piece = bytes.subarray(start, places[index + 1] ?? start);
      if (piece.length > 0) yield piece;
    }
  }
  return { status: 200, headers: { 'content-type': type, ...headers }, body: body() };
}

/** What all pieces of a stream say together. */
export async function heardOf(endpoint: Endpoint, opened: AnswerStream | Failed) {
  if (!opened.ok) throw new Error(opened.failure.message);
  const assembler = new StreamAssembler(endpoint);
  const pieces: StreamPiece[] = [];
  for await (const piece of opened.pieces) {
    assembler.push(piece.data);
    pieces.push(piece);
  }
  const last = <Name extends keyof StreamPiece>(name: Name) =>
    pieces.findLast((piece) => piece[name] !== null && piece[name] !== undefined)?.[name] ?? null;
  return {
    pieces,
    body: JSON.parse(assembler.body() ?? 'null') as unknown,
    known: {
      usage: last('usage'),
      rawUsage: last('rawUsage'),
      servedModel: last('servedModel'),
      serviceTier: last('serviceTier'),
      finishReason: last('finishReason'),
    },
  };
}

/** The same of an answer that came whole. */
export function wholeOf(
  endpoint: Endpoint,
  result: Result,
): Pick<Awaited<ReturnType<typeof heardOf>>, 'body' | 'known'> {
  const answer = answerAs(endpoint, result);
  if (!answer.ok) throw new Error(answer.failure.message);
  const { usage, rawUsage, servedModel, serviceTier = null, finishReason } = answer;
  const body = JSON.parse(answer.body) as { usage?: unknown };
  if (endpoint !== '/v1/responses') body.usage ??= null;
  return { body, known: { usage, rawUsage, servedModel, serviceTier, finishReason } };
}
