import { describe, expect, it } from 'vitest';
import { StreamAssembler } from '../../src/core/assemble-stream.ts';
import { SseReader } from '../../src/core/sse.ts';
import { synthesizeStream } from '../../src/core/synthesize-stream.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';

const usage = { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 };

function again(endpoint: Endpoint, answer: object): unknown {
  const assembler = new StreamAssembler(endpoint);
  const text = [...synthesizeStream(endpoint, JSON.stringify(answer), true)].join('');
  for (const { data } of new SseReader(1_000_000).push(text)) assembler.push(data);
  return JSON.parse(assembler.body() ?? 'null');
}

/** Chunks as a provider sends them. */
function whole(endpoint: Endpoint, chunks: readonly object[]): unknown {
  const assembler = new StreamAssembler(endpoint);
  for (const chunk of chunks) assembler.push(JSON.stringify(chunk));
  return JSON.parse(assembler.body() ?? 'null');
}

describe('StreamAssembler', () => {
  it('puts together again what was cut into events: chats with tools, texts, responses', () => {
    const call = (id: string, text: string) => ({ id, type: 'function', function: { name: 'add', arguments: text } });
    const message = {
      role: 'assistant',
      content: `Long ${'text 😀 '.repeat(40)}`,
      reasoning_content: 'So be it.',
      tool_calls: [call('call_1', `{"a":"${'2'.repeat(100)}"}`), call('call_2', '{}')],
    };
    const head = { id: 'chatcmpl-1', created: 1_790_000_000, model: 'm' };
    const choice = { index: 0, message, logprobs: null, finish_reason: 'tool_calls' };
    const second = { ...choice, index: 1, message: { role: 'assistant', content: null, refusal: 'No.' } };
    const chat = { ...head, object: 'chat.completion', choices: [choice, second], usage };
    expect(again('/v1/chat/completions', chat)).toEqual(chat);
    const text = { index: 0, text: 'It is four. '.repeat(20), logprobs: null, finish_reason: 'stop' };
    const completion = { ...head, object: 'text_completion', choices: [text], usage };
    expect(again('/v1/completions', completion)).toEqual(completion);
    const content = [{ type: 'output_text', text: 'It is four.', annotations: [] }];
    const output = [{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content }];
    const response = { id: 'resp_1', object: 'response', status: 'completed', output, usage: { total_tokens: 3 } };
    expect(again('/v1/responses', response)).toEqual(response);
  });

  it('adds up log probabilities, and leaves out what speaks of a chunk', () => {
    const chunk = (delta: object, token: string, finish: string | null = null) => ({
      id: 'c',
      object: 'chat.completion.chunk',
      obfuscation: 'xyz',
      choices: [{ index: 0, delta, logprobs: { content: [{ token }], refusal: null }, finish_reason: finish }],
    });
    expect(
      whole('/v1/chat/completions', [
        chunk({ role: 'assistant', content: 'a' }, 'a'),
        chunk({ content: 'b' }, 'b', 'stop'),
      ]),
    ).toEqual({
      id: 'c',
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'ab' },
          logprobs: { content: [{ token: 'a' }, { token: 'b' }], refusal: null },
          finish_reason: 'stop',
        },
      ],
      usage: null,
    });
  });

  it('has no answer of a stream that did not come to its end, or said that it failed', () => {
    const begun = { id: 'c', choices: [{ index: 0, delta: { content: 'a' }, finish_reason: null }] };
    const ended = { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
    expect(whole('/v1/chat/completions', [])).toBeNull();
    expect(whole('/v1/chat/completions', [begun])).toBeNull();
    expect(whole('/v1/chat/completions', [begun, ended, { error: { message: 'no' } }])).toBeNull();
    expect(whole('/v1/responses', [{ type: 'response.failed', response: { status: 'failed' } }])).toBeNull();
  });
});
