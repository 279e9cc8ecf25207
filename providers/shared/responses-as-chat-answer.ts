import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import { isFields } from './error-body.ts';
import type { Fields } from './responses-as-chat-refusal.ts';

/** A chat completion as an object of the Responses API: one line of JSON, and why it ended in that API's words. */
export function responseOfChat(completion: Fields): { body: string; finishReason: string } {
  const choice: unknown = Array.isArray(completion.choices) ? completion.choices[0] : undefined;
  const { message, finish_reason: finish } = isFields(choice) ? choice : {};
  const { status, reason } = endOfResponse(finish);
  const output = outputOf(idOf(completion), isFields(message) ? message : {}, status);
  const response = responseOf(completion, output, finish);
  return { body: escapeLineSeparators(JSON.stringify(response)), finishReason: reason ?? status };
}

/** How a response ends, by the finish reason of the completion that it is. */
export function endOfResponse(finish: unknown): { status: string; reason: string | null } {
  const reason = finish === 'length' ? 'max_output_tokens' : finish === 'content_filter' ? 'content_filter' : null;
  return { status: reason === null ? 'completed' : 'incomplete', reason };
}

function idOf({ id }: Fields): string {
  return typeof id === 'string' ? id : 'unknown';
}

/** The response that a completion is, or a chunk of one, around its output. `finish`: why it ended, in chat's words. */
export function responseOf(completion: Fields, output: readonly Fields[], finish: unknown): Record<string, unknown> {
  const { status, reason } = endOfResponse(finish);
  return {
    id: `resp_${idOf(completion)}`,
    object: 'response',
    created_at: completion.created,
    completed_at: completion.created,
    status,
    background: false,
    error: null,
    incomplete_details: reason === null ? null : { reason },
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model: completion.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    ...(isFields(completion.usage) && { usage: usageOf(completion.usage) }),
  };
}

function outputOf(id: string, message: Fields, status: string): Fields[] {
  const output: Fields[] = [];
  const { content, refusal, reasoning_content: reasoning, tool_calls: calls } = message;
  if (typeof reasoning === 'string' && reasoning !== '') {
    output.push(reasoningItem(`rs_${id}`, [{ type: 'reasoning_text', text: reasoning }]));
  }
  const parts: Fields[] = [];
  if (typeof content === 'string') parts.push({ type: 'output_text', text: content, annotations: [], logprobs: [] });
  if (typeof refusal === 'string') parts.push({ type: 'refusal', refusal });
  const called = (Array.isArray(calls) ? calls : []).filter(isFields);
  // What was cut off is what came last.
  const said = called.length > 0 ? 'completed' : status;
  if (parts.length > 0) output.push(messageItem(`msg_${id}`, parts, said));
  for (const [index, call] of called.entries()) {
    const { name, arguments: text } = isFields(call.function) ? call.function : {};
    output.push(callItem(`fc_${id}_${index}`, { call_id: call.id, name, arguments: text }, 'completed'));
  }
  return output;
}

/** What a model thought. */
export function reasoningItem(id: string, content: readonly Fields[]): Record<string, unknown> {
  return { id, type: 'reasoning', summary: [], content };
}

/** What it said. */
export function messageItem(id: string, content: readonly Fields[], status: string): Record<string, unknown> {
  return { id, type: 'message', role: 'assistant', status, content };
}

/** A function that it called. */
export function callItem(
  id: string,
  { call_id, name, arguments: text }: { call_id: unknown; name: unknown; arguments: unknown },
  status: string,
): Record<string, unknown> {
  return { id, type: 'function_call', call_id, name, arguments: text, status };
}

function usageOf(usage: Fields): Fields {
  const input = isFields(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const output = isFields(usage.completion_tokens_details) ? usage.completion_tokens_details : {};
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: {
      cached_tokens: input.cached_tokens ?? 0,
      ...(input.cache_write_tokens !== undefined && { cache_write_tokens: input.cache_write_tokens }),
    },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: output.reasoning_tokens ?? 0 },
    total_tokens: usage.total_tokens,
  };
}
