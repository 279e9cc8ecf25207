import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream';
import { describe, expect, it } from 'vitest';
import { SseReader } from '../../src/core/sse.ts';
import { synthesizeStream } from '../../src/core/synthesize-stream.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';

interface Event {
  type?: string;
  delta?: string;
  choices?: { delta: object; finish_reason: string | null }[];
  usage?: object | null;
  sequence_number?: number;
  response?: object;
}

function eventsOf(endpoint: Endpoint, answer: object, usage = false): Event[] {
  const text = [...synthesizeStream(endpoint, JSON.stringify(answer), usage)].join('');
  return new SseReader(1_000_000).push(text).map(({ event, data }) => {
    const json = JSON.parse(data) as Event;
    if (event !== null) expect(json.type).toBe(event);
    return json;
  });
}

const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_790_000_000,
  model: 'm',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: `Long ${'text 😀 '.repeat(40)}`,
        refusal: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a":2,"b":2}' } }],
      },
      logprobs: null,
      finish_reason: 'tool_calls',
    },
  ],
  usage: { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 },
};

describe('synthesizeStream', () => {
  it('makes chunks from which the official client puts the same completion together', async () => {
    const lines = eventsOf('/v1/chat/completions', completion).map((chunk) => `${JSON.stringify(chunk)}\n`);
    const body = new Blob(lines).stream() as ReadableStream<Uint8Array>;
    const whole = await ChatCompletionStream.fromReadableStream(body).finalChatCompletion();
    expect(whole.choices[0]?.message).toMatchObject({
      content: completion.choices[0]?.message.content,
      tool_calls: completion.choices[0]?.message.tool_calls,
    });
    expect(whole.choices[0]?.finish_reason).toBe('tool_calls');
  });

  it('sends the usage in a chunk of its own, and only if it was asked for', () => {
    const asked = eventsOf('/v1/chat/completions', completion, true);
    expect(asked.at(-1)).toMatchObject({ choices: [], usage: completion.usage });
    expect(asked.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(eventsOf('/v1/chat/completions', completion).some((chunk) => 'usage' in chunk)).toBe(false);
  });

  it('makes the events of a response in order, its deltas adding up to its text', () => {
    const response = {
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      output: [
        { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Add.' }] },
        {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'It is four. '.repeat(20), annotations: [] }],
        },
        { id: 'fc_1', type: 'function_call', call_id: 'c', name: 'add', arguments: '{"a":2}', status: 'completed' },
      ],
      usage: { input_tokens: 5, output_tokens: 9, total_tokens: 14 },
    };
    const events = eventsOf('/v1/responses', response);
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_event, index) => index));
    expect(events[0]?.type).toBe('response.created');
    expect(events.at(-1)).toMatchObject({ type: 'response.completed', response });
    const deltas = (type: string) => events.filter((event) => event.type === type).map(({ delta }) => delta);
    expect(deltas('response.output_text.delta').join('')).toBe('It is four. '.repeat(20));
    expect(deltas('response.function_call_arguments.delta').join('')).toBe('{"a":2}');
    expect(deltas('response.reasoning_summary_text.delta').join('')).toBe('Add.');
  });
});
