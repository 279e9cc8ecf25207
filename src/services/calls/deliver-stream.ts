import type { StreamPiece } from '../../../providers/contract.ts';
import { type Failure, toErrorBody } from '../../core/failure.ts';
import { SSE_DONE, sseText } from '../../core/sse.ts';
import type { AnswerReader } from './live-answer.ts';
import { streamFailure } from './open-stream.ts';
import type { Call } from './read-call.ts';

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

/** One client's part in an answer that comes. */
export interface Delivery {
  call: Call;
  reader: AnswerReader;
  provider: string;
  /** Makes its entry durable, before its last event goes out; absent where the answer's own entry is its. */
  enter?: () => Promise<void>;
  /** Called when nothing more goes out. */
  closed?: () => void;
}

/** The events of an answer as it comes, in the client's own form. Returning from it leaves the answer. */
export async function* deliverStream(delivery: Delivery): AsyncGenerator<string> {
  const { call, reader, provider, enter } = delivery;
  const isResponses = call.request.endpoint === '/v1/responses';
  let isEntered = false;
  const settle = async (): Promise<void> => {
    if (!isEntered) await enter?.();
    isEntered = true;
  };
  try {
    for (let piece = await reader.next(); piece !== null; piece = await reader.next()) {
      // The last event of a response says that it is complete: nothing may be left to do after it.
      if (isResponses && piece.finishReason !== null) await settle();
      const text = clientText(piece, call.stream?.usage === true);
      if (text !== null) yield text;
    }
    await settle();
    if (!isResponses) yield SSE_DONE;
  } catch (error) {
    yield errorText(streamFailure(error, provider), isResponses);
  } finally {
    reader.leave();
    delivery.closed?.();
  }
}

/** Usage that was asked for on the ledger's behalf stays ours. In JSON text these characters cannot stand inside a string. */
function clientText({ event, data, usageOnly }: StreamPiece, wantsUsage: boolean): string | null {
  if (wantsUsage) return sseText({ event, data });
  return usageOnly ? null : sseText({ event, data: data.replace(',"usage":null', '') });
}

/** Clients of OpenAI's stop with an error at an event that carries one. */
function errorText(failure: Failure, isResponses: boolean): string {
  const error = toErrorBody(failure);
  if (!isResponses) return sseText({ event: null, data: JSON.stringify({ error }) });
  return sseText({ event: 'error', data: JSON.stringify({ ...error, type: 'error' }) });
}
