import { ApiError } from '../../core/api-error.ts';
import { tryParseExact } from '../../core/exact-json.ts';
import { type Fields, isFields } from '../../core/fields.ts';
import { MessageEvents, messageOfChat, messagesError } from '../../core/messages-answer.ts';
import { chatOfMessages, MessagesProblem } from '../../core/messages-request.ts';
import { textOf } from '../../core/validate-input.ts';
import type { CallAnswer } from '../calls/answer.ts';
import type { CallRequest, Calls } from '../calls/calls.ts';

/**
 * Anthropic's Messages over any provider: the request as a chat completion, its answer as a message, whole or in events.
 * Throws ApiError for what the client can mend.
 */
export async function sendMessage(calls: Calls, request: Omit<CallRequest, 'endpoint'>): Promise<CallAnswer> {
  const chat = readMessages(parseBody(request.raw));
  const asked = chat.stream === true ? { ...chat, stream_options: { include_usage: true } } : chat;
  const raw = Buffer.from(JSON.stringify(asked));
  const answer = await calls.answer({ ...request, endpoint: '/v1/chat/completions', raw });
  if (!('body' in answer)) return { ...answer, events: messageEvents(answer.events) };
  const json = JSON.parse(answer.body) as Fields;
  if (answer.status >= 400) return { ...answer, body: JSON.stringify(errorOf(answer.status, json, request.requestId)) };
  return { ...answer, body: JSON.stringify(messageOfChat(json)) };
}

function readMessages(request: Fields): Fields {
  try {
    return chatOfMessages(request);
  } catch (error) {
    if (!(error instanceof MessagesProblem)) throw error;
    throw new ApiError(400, error.message, { code: 'invalid_request' });
  }
}

/** The JSON object that a body is. Throws ApiError 400. */
export function parseBody(raw: Uint8Array): Fields {
  const value = tryParseExact(textOf(raw));
  if (isFields(value)) return value;
  throw new ApiError(400, 'The body must be a JSON object. Check it with a JSON parser.', { code: 'invalid_body' });
}

function errorOf(status: number, { error }: Fields, requestId: string): Fields {
  const said = typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : 'It failed.';
  return messagesError(status, said, requestId);
}

/** Chunks of a chat completion, as the text of server-sent events, as those of a message. */
function messageEvents(chunks: AsyncIterableIterator<string>): AsyncIterableIterator<string> {
  const events = new MessageEvents();
  const waiting: string[] = [];
  return {
    async next() {
      while (waiting.length === 0) {
        const { value, done } = await chunks.next();
        if (done === true) return { value: undefined, done };
        const data = value.slice('data: '.length).trimEnd();
        waiting.push(...(data === '[DONE]' ? events.end() : events.push(data)));
      }
      return { value: waiting.shift() ?? '', done: false };
    },
    async return() {
      await chunks.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
