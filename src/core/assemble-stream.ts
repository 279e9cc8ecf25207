/** The chunks of a finished stream as the answer that would have come whole. The other way: synthesize-stream.ts. */
import type { Endpoint } from '../protocol/endpoint.ts';
import { type Fields, fieldsOf, isFields, listOf } from './fields.ts';

/** Says something of a chunk, not of the answer. */
const CHUNK_ONLY = new Set(['choices', 'usage', 'object', 'obfuscation']);

/** Takes the events of one stream of OpenAI's shape, each as its JSON text. */
export class StreamAssembler {
  private readonly endpoint: Endpoint;
  private head: Fields = {};
  private usage: unknown = null;
  private readonly choices = new Map<number, Fields>();
  private response: Fields | null = null;
  private broken = false;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  push(data: string): void {
    const chunk = JSON.parse(data) as Fields;
    if (isFields(chunk.error)) this.broken = true;
    if (this.endpoint === '/v1/responses') {
      const isLast = chunk.type === 'response.completed' || chunk.type === 'response.incomplete';
      if (isLast && isFields(chunk.response)) this.response = chunk.response;
      return;
    }
    for (const [name, value] of Object.entries(chunk)) {
      if (!CHUNK_ONLY.has(name) && value !== null) this.head[name] ??= value;
    }
    this.usage = chunk.usage ?? this.usage;
    for (const choice of listOf(chunk.choices)) this.take(choice);
  }

  /** The whole answer as JSON text; null when the stream did not come to its end. */
  body(): string | null {
    if (this.broken) return null;
    if (this.endpoint === '/v1/responses') return this.response && JSON.stringify(this.response);
    const choices = [...this.choices.values()].sort((left, right) => Number(left.index) - Number(right.index));
    if (choices.length === 0 || choices.some(({ finish_reason: finish }) => finish === null)) return null;
    const object = this.endpoint === '/v1/chat/completions' ? 'chat.completion' : 'text_completion';
    return JSON.stringify({ ...this.head, object, choices: choices.map(finished), usage: this.usage });
  }

  private take(part: Fields): void {
    const index = Number(part.index ?? 0);
    const isChat = this.endpoint === '/v1/chat/completions';
    const empty = isChat ? { message: { role: 'assistant', content: null } } : { text: '' };
    const choice = this.choices.get(index) ?? { index, ...empty, logprobs: null, finish_reason: null };
    this.choices.set(index, choice);
    if (isChat) merge(fieldsOf(choice.message), fieldsOf(part.delta));
    else choice.text = String(choice.text) + String(part.text ?? '');
    if (isFields(part.logprobs)) {
      choice.logprobs ??= {};
      merge(fieldsOf(choice.logprobs), part.logprobs);
    }
    choice.finish_reason = part.finish_reason ?? choice.finish_reason;
  }
}

/** What is said once. Everything else that is text comes in pieces. */
const WHOLE = new Set(['role', 'id', 'type', 'name']);

/** Adds a piece to what there is: text to text, lists to lists, elements with an `index` to the one they belong to. */
function merge(whole: Fields, piece: Fields): void {
  for (const [name, value] of Object.entries(piece)) {
    const before = whole[name];
    if (value === null || value === undefined) whole[name] ??= null;
    else if (typeof value === 'string') {
      whole[name] = typeof before === 'string' && !WHOLE.has(name) ? before + value : value || (before ?? value);
    } else if (Array.isArray(value)) whole[name] = mergeLists(Array.isArray(before) ? before : [], value);
    else if (isFields(value) && isFields(before)) merge(before, value);
    else whole[name] = value;
  }
}

function mergeLists(before: unknown[], pieces: readonly unknown[]): unknown[] {
  for (const piece of pieces) {
    const index = isFields(piece) ? piece.index : undefined;
    const known = before.find((each) => isFields(each) && index !== undefined && each.index === index);
    if (isFields(known) && isFields(piece)) merge(known, piece);
    else before.push(piece);
  }
  return before;
}

/** Calls of tools carry their place only while they come. */
function finished(choice: Fields): Fields {
  if (!isFields(choice.message) || !Array.isArray(choice.message.tool_calls)) return choice;
  const calls = listOf(choice.message.tool_calls).map(({ index: _place, ...call }) => call);
  return { ...choice, message: { ...choice.message, tool_calls: calls } };
}
