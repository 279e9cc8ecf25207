/** A chat completion, whole or in chunks, as an answer of Anthropic's Messages API. */

import { tryParseExact } from './exact-json.ts';
import { type Fields, fieldsOf, listOf } from './fields.ts';
import { sseText } from './sse.ts';
import { usageFromOpenAI } from './usage.ts';

/** Errors by status, as Anthropic words them (API errors page). */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  410: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error envelope for a status and what OpenAI's envelope says. */
export function messagesError(status: number, message: string, requestId: string | null): Fields {
  const type =
    ERROR_TYPES[status] ?? (status === 503 ? 'overloaded_error' : status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}

/** The message that a chat completion is. */
export function messageOfChat(answer: Fields): Fields {
  const [choice] = listOf(answer.choices);
  const said = fieldsOf(choice?.message);
  const content: Fields[] = [];
  const thought = said.reasoning_content ?? said.reasoning;
  if (typeof thought === 'string' && thought !== '')
    content.push({ type: 'thinking', thinking: thought, signature: '' });
  const text = said.content ?? said.refusal;
  if (typeof text === 'string' && text !== '') content.push({ type: 'text', text, citations: null });
  for (const call of listOf(said.tool_calls)) {
    const called = fieldsOf(call.function);
    const input = tryParseExact(String(called.arguments ?? '{}')) ?? {};
    content.push({ type: 'tool_use', id: call.id, name: called.name, input });
  }
  return {
    id: messageId(answer.id),
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content,
    stop_reason: stopReason(choice?.finish_reason, said.refusal),
    stop_sequence: null,
    usage: messagesUsage(answer),
  };
}

/** Anthropic counts reads and writes of the cache beside the input, OpenAI within it. */
function messagesUsage(answer: Fields): Fields {
  const usage = usageFromOpenAI(answer).usage ?? {};
  const output = (usage.output_tokens ?? 0) + (usage.reasoning_tokens ?? 0) + (usage.output_audio_tokens ?? 0);
  return {
    input_tokens: (usage.input_tokens ?? 0) + (usage.input_audio_tokens ?? 0) + (usage.input_image_tokens ?? 0),
    cache_creation_input_tokens: (usage.cache_write_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0),
    cache_read_input_tokens: (usage.cached_input_tokens ?? 0) + (usage.cached_audio_tokens ?? 0),
    output_tokens: output,
  };
}

function stopReason(finish: unknown, refusal: unknown): string {
  if (typeof refusal === 'string' && refusal !== '') return 'refusal';
  switch (finish) {
    case 'length':
      return 'max_tokens';
    case 'tool_calls':
    case 'function_call':
      return 'tool_use';
    case 'content_filter':
      return 'refusal';
    default:
      return 'end_turn';
  }
}

function messageId(id: unknown): string {
  return `msg_${String(id ?? '').replace(/^(chatcmpl|msg)[-_]/, '')}`;
}

interface OpenBlock {
  index: number;
  /** `text`, `thinking`, or the number of a tool call. */
  what: string;
}

/** Turns the chunks of a chat completion into the events of a message; one for each stream. */
export class MessageEvents {
  private started = false;
  private open: OpenBlock | null = null;
  private next = 0;
  private finish: unknown = null;
  private refusal: unknown = null;
  private last: Fields = {};

  /** The events that a chunk brings; `data` is its JSON. */
  *push(data: string): Generator<string> {
    const chunk = JSON.parse(data) as Fields;
    if (chunk.error !== undefined && chunk.error !== null) {
      const { message } = fieldsOf(chunk.error);
      yield event('error', messagesError(500, String(message ?? 'The stream broke off.'), null));
      return;
    }
    if (!this.started) yield this.start(chunk);
    if (chunk.usage !== null && chunk.usage !== undefined) this.last = chunk;
    const [choice] = listOf(chunk.choices);
    if (choice === undefined) return;
    const delta = fieldsOf(choice.delta);
    const thought = delta.reasoning_content ?? delta.reasoning;
    if (typeof thought === 'string' && thought !== '') {
      yield* this.enter('thinking', { type: 'thinking', thinking: '', signature: '' });
      yield this.delta({ type: 'thinking_delta', thinking: thought });
    }
    this.refusal = delta.refusal || this.refusal;
    const text = delta.content ?? delta.refusal;
    if (typeof text === 'string' && text !== '') {
      yield* this.enter('text', { type: 'text', text: '', citations: null });
      yield this.delta({ type: 'text_delta', text });
    }
    for (const call of listOf(delta.tool_calls)) yield* this.tool(call);
    this.finish = choice.finish_reason ?? this.finish;
  }

  /** The events that end the message. */
  *end(): Generator<string> {
    yield* this.leave();
    const { output_tokens: output, ...usage } = messagesUsage(this.last);
    const delta = { stop_reason: stopReason(this.finish, this.refusal), stop_sequence: null };
    yield event('message_delta', { type: 'message_delta', delta, usage: { ...usage, output_tokens: output } });
    yield event('message_stop', { type: 'message_stop' });
  }

  private start({ id, model }: Fields): string {
    this.started = true;
    const usage = { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 };
    const message = { id: messageId(id), type: 'message', role: 'assistant', model, content: [] };
    return event('message_start', {
      type: 'message_start',
      message: { ...message, stop_reason: null, stop_sequence: null, usage },
    });
  }

  private *tool(call: Fields): Generator<string> {
    const { name, arguments: text } = fieldsOf(call.function);
    const opening = { type: 'tool_use', id: call.id, name, input: {} };
    yield* this.enter(`tool ${String(call.index ?? 0)}`, opening);
    if (typeof text === 'string' && text !== '') yield this.delta({ type: 'input_json_delta', partial_json: text });
  }

  private *enter(what: string, block: Fields): Generator<string> {
    if (this.open?.what === what) return;
    yield* this.leave();
    this.open = { index: this.next++, what };
    yield event('content_block_start', { type: 'content_block_start', index: this.open.index, content_block: block });
  }

  private delta(delta: Fields): string {
    return event('content_block_delta', { type: 'content_block_delta', index: this.open?.index ?? 0, delta });
  }

  private *leave(): Generator<string> {
    if (this.open === null) return;
    yield event('content_block_stop', { type: 'content_block_stop', index: this.open.index });
    this.open = null;
  }
}

function event(name: string, data: Fields): string {
  return sseText({ event: name, data: JSON.stringify(data) });
}
