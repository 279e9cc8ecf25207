import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import { isFields } from './error-body.ts';
import type { Fields } from './responses-as-chat-refusal.ts';

/** A chat completion as an object of the Responses API: one line of JSON, and why it ended in that API's words. */
export function responseOfChat(completion: Fields): { body: string; finishReason: string } {
  const id = typeof completion.id === 'string' ? completion.id : 'unknown';
  const choice: unknown = Array.isArray(completion.choices) ? completion.choices[0] : undefined;
  const { message, finish_reason: finish } = isFields(choice) ? choice : {};
  const reason = finish === 'length' ? 'max_output_tokens' : finish === 'content_filter' ? 'content_filter' : null;
  const status = reason === null ? 'completed' : 'incomplete';
  const response = {
    id: `resp_${id}`,
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
    output: outputOf(id, isFields(message) ? message : {}, status),
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
  return { body: escapeLineSeparators(JSON.stringify(response)), finishReason: reason ?? status };
}

function outputOf(id: string, message: Fields, status: string): Fields[] {
  const output: Fields[] = [];
  const { content, refusal, reasoning_content: reasoning, tool_calls: calls } = message;
  if (typeof reasoning === 'string' && reasoning !== '') {
    output.push({
      id: `rs_${id}`,
      type: 'reasoning',
      summary: [],
      content: [{ type: 'reasoning_text', text: reasoning }],
    });
  }
  const parts: Fields[] = [];
  if (typeof content === 'string') parts.push({ type: 'output_text', text: content, annotations: [], logprobs: [] });
  if (typeof refusal === 'string') parts.push({ type: 'refusal', refusal });
  if (parts.length > 0) output.push({ id: `msg_${id}`, type: 'message', role: 'assistant', status, content: parts });
  for (const [index, call] of (Array.isArray(calls) ? calls : []).filter(isFields).entries()) {
    const called = isFields(call.function) ? call.function : {};
    output.push({
      id: `fc_${id}_${index}`,
      type: 'function_call',
      call_id: call.id,
      name: called.name,
      arguments: called.arguments,
      status: 'completed',
    });
  }
  return output;
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
