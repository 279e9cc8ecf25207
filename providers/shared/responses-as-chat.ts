import type { Failure } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { Result } from '../contract.ts';
import { responseOfChat } from './responses-as-chat-answer.ts';
import { completionOfChat, completionToChat } from './responses-as-chat-completions.ts';
import { ChatRefusal, type Fields } from './responses-as-chat-refusal.ts';
import { responseToChat } from './responses-as-chat-request.ts';

export type ChatBody = { ok: true; body: Fields; warnings: string[] } | { ok: false; failure: Failure };

/** The endpoints that a service with chat completions alone can serve. */
export const chatEndpoints: readonly Endpoint[] = ['/v1/chat/completions', '/v1/responses', '/v1/completions'];

/**
 * The chat completion body that asks the same as a body of another endpoint of generation. Chat bodies come back as they
 * are. Pure; never throws: what chat cannot express comes back as a failure that names the parameter.
 */
export function toChatBody(endpoint: Endpoint, body: Fields): ChatBody {
  if (endpoint === '/v1/chat/completions') return { ok: true, body, warnings: [] };
  const warnings: string[] = [];
  try {
    const chat = endpoint === '/v1/responses' ? responseToChat(body, warnings) : completionToChat(body, warnings);
    return { ok: true, body: chat, warnings };
  } catch (error) {
    if (error instanceof ChatRefusal) return { ok: false, failure: error.failure };
    throw error;
  }
}

/** What chat calls a parameter that the Responses API has under another name. */
const responseNames: Readonly<Record<string, string>> = {
  max_completion_tokens: 'max_output_tokens',
  messages: 'input',
  reasoning_effort: 'reasoning.effort',
  response_format: 'text.format',
  verbosity: 'text.verbosity',
};

/** A refusal of the chat body in the words of the endpoint that was asked. */
export function inWordsOf(endpoint: Endpoint, failure: Failure): Failure {
  if (failure.param === null) return failure;
  const names =
    endpoint === '/v1/responses' ? responseNames : endpoint === '/v1/completions' ? { messages: 'prompt' } : {};
  const [head = ''] = /^\w+/.exec(failure.param) ?? [];
  const name = Object.hasOwn(names, head) ? names[head as keyof typeof names] : undefined;
  if (name === undefined) return failure;
  return {
    ...failure,
    param: name + failure.param.slice(head.length),
    message: failure.message.replaceAll(new RegExp(`'${head}\\b`, 'g'), `'${name}`),
  };
}

/** A result that holds a chat completion, with the answer that the endpoint gives; failures stay as they are. */
export function answerAs(endpoint: Endpoint, result: Result): Result {
  if (!result.ok || endpoint === '/v1/chat/completions') return result;
  const completion = JSON.parse(result.body) as Fields;
  if (endpoint !== '/v1/responses') return { ...result, body: completionOfChat(completion) };
  const { body, finishReason } = responseOfChat(completion);
  return { ...result, body, finishReason };
}
