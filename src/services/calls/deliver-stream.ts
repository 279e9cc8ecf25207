import {
  type AnswerStream,
  type Failed,
  ProviderError,
  type StreamPiece,
  type Success,
} from '../../../providers/contract.ts';
import { StreamAssembler } from '../../core/assemble-stream.ts';
import { type Failure, refusal, toErrorBody } from '../../core/failure.ts';
import { escapeLineSeparators } from '../../core/jsonl.ts';
import { SSE_DONE, sseText } from '../../core/sse.ts';
import type { Usage } from '../../core/usage.ts';
import type { Begun, CallInHand, Send } from './attempts.ts';
import { type Keep, mayBeKept } from './cached-call.ts';

/** A stream of which the first piece is there: from here on the call stays with its candidate. */
export interface OpenedStream {
  ok: true;
  requestId: string | null;
  first: StreamPiece;
  rest: AsyncIterator<StreamPiece>;
}

/** Opens a stream and waits for its first piece, so that whatever goes wrong before it can still go elsewhere. */
export function openStream(options: Readonly<Record<string, unknown>>): Send<OpenedStream> {
  return async (provider, request, call) => {
    const opened = await provider.immediate?.stream?.(request, options, call);
    if (opened === undefined)
      return asFailed(refusal('unsupported', 'unsupported', `${provider.name} does not stream.`));
    return opened.ok ? await withFirstPiece(provider.name, opened) : opened;
  };
}

async function withFirstPiece(provider: string, opened: AnswerStream): Promise<OpenedStream | Failed> {
  const rest = opened.pieces[Symbol.asyncIterator]();
  try {
    const first = await rest.next();
    if (first.done !== true) return { ok: true, requestId: opened.requestId, first: first.value, rest };
    return asFailed(brokenOff(provider, opened.status));
  } catch (error) {
    return asFailed(failureOf(error, provider));
  }
}

function asFailed(failure: Failure): Failed {
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}

function brokenOff(provider: string, status: number | null): Failure {
  const failure = refusal('bad_response', 'bad_response', `${provider}: the stream ended before the answer did.`);
  return { ...failure, status, type: 'server_error', reachedProvider: true };
}

function failureOf(error: unknown, provider: string): Failure {
  return error instanceof ProviderError ? error.failure : brokenOff(provider, null);
}

/** What a stream has said so far. */
interface Heard {
  usage: Usage | null;
  rawUsage: object | null;
  servedModel: string | null;
  finishReason: string | null;
  serviceTier: string | null;
  /** What was read, where that was said before the end. */
  inputUsage: Usage | null;
  /** An estimate of the tokens of what was said. */
  tokens: number;
}

/** A token's length in English and code, on average. */
const CHARACTERS_PER_TOKEN = 4;

const NOTHING_HEARD: Readonly<Heard> = {
  usage: null,
  rawUsage: null,
  servedModel: null,
  finishReason: null,
  serviceTier: null,
  inputUsage: null,
  tokens: 0,
};

/**
 * `events` such that returning from them settles them also before the first was asked for: a generator that was never
 * started ends without running.
 */
export function sureToSettle(events: AsyncGenerator<string>): AsyncIterableIterator<string> {
  let started = false;
  return {
    next() {
      started = true;
      return events.next();
    },
    async return() {
      if (!started) await events.next();
      return events.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * The events of an answer as it comes, in the client's own form. Its ledger entry is durable before its last event goes
 * out; when the provider breaks off, or the client leaves (the generator is returned from, or the signal aborts), what
 * was delivered is entered as an estimate.
 */
export async function* deliverStream(
  hand: CallInHand,
  begun: Begun<OpenedStream>,
  { keep, closed }: { keep: Keep; closed: () => void },
): AsyncGenerator<string> {
  const { answer, provider } = begun;
  const whole = mayBeKept(hand, begun.candidate) ? new StreamAssembler(hand.call.request.endpoint) : null;
  const settle = async (): Promise<void> => {
    await settleWhole(hand, begun, heard);
    const body = whole?.body() ?? null;
    if (body !== null) keep(begun.candidate, wholeAnswer(answer, heard, body));
  };
  const heard: Heard = { ...NOTHING_HEARD };
  const isResponses = hand.call.request.endpoint === '/v1/responses';
  let settled = false;
  try {
    for (let piece: StreamPiece | null = answer.first; piece !== null; piece = await nextPiece(answer.rest)) {
      hear(heard, piece);
      whole?.push(piece.data);
      // The last event of a response says that it is complete: nothing may be left to do after it.
      if (isResponses && piece.finishReason !== null) {
        settled = true;
        await settle();
      }
      const text = clientText(piece, hand.call.stream?.usage === true);
      if (text !== null) yield text;
    }
    if (!settled) {
      settled = true;
      await settle();
    }
    if (!isResponses) yield SSE_DONE;
  } catch (error) {
    const failure = failureOf(error, provider.name);
    settled = true;
    await settleBroken(hand, begun, heard, failure);
    yield errorText(failure, isResponses);
  } finally {
    if (!settled) await settleBroken(hand, begun, heard, clientLeft());
    await answer.rest.return?.();
    closed();
  }
}

async function nextPiece(rest: AsyncIterator<StreamPiece>): Promise<StreamPiece | null> {
  const next = await rest.next();
  return next.done === true ? null : next.value;
}

function hear(heard: Heard, piece: StreamPiece): void {
  // Servers of OpenAI's shape send a piece for each token, or for a few.
  if (piece.content) heard.tokens += piece.characters === undefined ? 1 : piece.characters / CHARACTERS_PER_TOKEN;
  heard.inputUsage ??= piece.inputUsage ?? null;
  heard.serviceTier = piece.serviceTier ?? heard.serviceTier;
  heard.usage = piece.usage ?? heard.usage;
  heard.rawUsage = piece.rawUsage ?? heard.rawUsage;
  heard.servedModel ??= piece.servedModel;
  heard.finishReason = piece.finishReason ?? heard.finishReason;
}

/** Usage that was asked for on the ledger's behalf stays ours. In JSON text these characters cannot stand inside a string. */
function clientText({ event, data, usageOnly }: StreamPiece, wantsUsage: boolean): string | null {
  if (wantsUsage) return sseText({ event, data });
  return usageOnly ? null : sseText({ event, data: data.replace(',"usage":null', '') });
}

function wholeAnswer({ requestId }: OpenedStream, heard: Heard, body: string): Success {
  const { usage, rawUsage, servedModel, finishReason, serviceTier } = heard;
  const said = { usage, rawUsage, servedModel, finishReason, serviceTier };
  return { ok: true, status: 200, requestId, body: escapeLineSeparators(body), warnings: [], ...said };
}

async function settleWhole(hand: CallInHand, begun: Begun<OpenedStream>, heard: Heard): Promise<void> {
  const { candidate, provider, trip, answer } = begun;
  const { usage } = heard;
  const ended = trip.end(null, usage);
  await hand.account.enter({ candidate, provider, result: wholeAnswer(answer, heard, ''), ...ended, final: true });
}

async function settleBroken(
  hand: CallInHand,
  { candidate, provider, trip }: Begun<OpenedStream>,
  heard: Heard,
  failure: Failure,
): Promise<void> {
  const input = heard.inputUsage ?? { input_tokens: Math.ceil(hand.call.bytes / CHARACTERS_PER_TOKEN) };
  const usage = heard.usage ?? { ...input, output_tokens: Math.ceil(heard.tokens) };
  const gone = failure.kind === 'interrupted';
  const ended = trip.end(gone ? null : failure, usage);
  const { rawUsage, servedModel, serviceTier } = heard;
  const errorCode = gone ? 'client_disconnected' : failure.code;
  await hand.account.enterBrokenOff(
    { candidate, provider, ...ended },
    { usage, rawUsage, servedModel, serviceTier, errorCode },
  );
}

function clientLeft(): Failure {
  return refusal('interrupted', 'client_disconnected', 'The client left before the end of the stream.');
}

/** Clients of OpenAI's stop with an error at an event that carries one. */
function errorText(failure: Failure, isResponses: boolean): string {
  const error = toErrorBody(failure);
  if (!isResponses) return sseText({ event: null, data: JSON.stringify({ error }) });
  return sseText({ event: 'error', data: JSON.stringify({ ...error, type: 'error' }) });
}
