import { describe, expect, it } from 'vitest';
import type { Result } from '../../../providers/contract.ts';
import { fromMessage } from '../../../providers/shared/anthropic-messages-answer.ts';
import { failureOfError } from '../../../providers/shared/anthropic-messages-errors.ts';
import { totalInput, totalOutput } from '../../../src/core/usage.ts';

const context = { provider: 'p', secrets: ['sk-ant-canary'], nowMs: 1_790_000_000_500, requestId: 'req_1' };
const usage = { input_tokens: 10, output_tokens: 5 };

function message(changes: object): object {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-x',
    content: [{ type: 'text', text: 'hi' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage,
    ...changes,
  };
}

function read(changes: object): Extract<Result, { ok: true }> {
  const result = fromMessage(message(changes), context);
  if (!result.ok) throw new Error(result.failure.message);
  return result;
}

function bodyOf(changes: object): { choices: { message: object; finish_reason: string }[]; usage?: object } {
  return JSON.parse(read(changes).body) as ReturnType<typeof bodyOf>;
}

describe('a message as a chat completion', () => {
  it('has the shape of OpenAI, on one line', () => {
    const result = read({
      content: [
        { type: 'text', text: 'a\u2028' },
        { type: 'text', text: 'b' },
      ],
    });
    expect(JSON.parse(result.body)).toEqual({
      id: 'msg_1',
      object: 'chat.completion',
      created: 1_790_000_000,
      model: 'claude-x',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'a\u2028b', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    });
    expect(result.body).not.toMatch(/[\n\u2028]/);
    expect(result).toMatchObject({
      servedModel: 'claude-x',
      finishReason: 'stop',
      requestId: 'req_1',
      warnings: [],
      rawUsage: usage,
    });
  });

  it('keeps thinking apart from the text, wherever it stands', () => {
    const content = [
      { type: 'thinking', thinking: 'Let me see. ', signature: 's' },
      { type: 'redacted_thinking', data: 'x' },
      { type: 'text', text: '42' },
    ];
    expect(bodyOf({ content }).choices[0]?.message).toMatchObject({ content: '42', reasoning_content: 'Let me see. ' });
  });

  it('gives tool calls with their arguments as text', () => {
    const content = [
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: [1, 'ü'] } },
      { type: 'tool_use', id: 'toolu_2', name: 'g', input: {} },
    ];
    const [choice] = bodyOf({ content, stop_reason: 'tool_use' }).choices;
    expect(choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: null,
        tool_calls: [
          { id: 'toolu_1', type: 'function', function: { name: 'f', arguments: '{"a":[1,"ü"]}' } },
          { id: 'toolu_2', type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      },
    });
  });

  it('unwraps the tool that stands for a response format', () => {
    const content = [{ type: 'tool_use', id: 't', name: 'weir_structured_answer', input: { a: 1 } }];
    const [choice] = bodyOf({ content, stop_reason: 'tool_use' }).choices;
    expect(choice).toMatchObject({ finish_reason: 'stop', message: { content: '{"a":1}' } });
    expect(choice?.message).not.toHaveProperty('tool_calls');
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'content_filter'],
    ['pause_turn', 'stop'],
    ['something_new', 'stop'],
    [null, 'stop'],
  ])('reads the stop reason %s as %s', (reason, finish) => {
    const result = read({ stop_reason: reason });
    expect(result.finishReason).toBe(finish);
    expect(result.warnings).toHaveLength(['pause_turn', 'something_new', null].includes(reason) ? 1 : 0);
  });

  it('tells why it refused', () => {
    const refused = { stop_reason: 'refusal', content: [], stop_details: { type: 'refusal', explanation: 'No.' } };
    expect(bodyOf(refused).choices[0]?.message).toMatchObject({ content: null, refusal: 'No.' });
    expect(bodyOf({ stop_reason: 'max_tokens', content: [] }).choices[0]?.message).toMatchObject({ content: '' });
  });

  it.each([
    ['nothing', undefined],
    ['an error', { type: 'error', error: {} }],
    ['no content', message({ content: null })],
    ['a list', []],
  ])('does not take %s for a message', (_about, value) => {
    expect(fromMessage(value, context)).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
  });

  it('names blocks that it leaves out', () => {
    expect(read({ content: [{ type: 'server_tool_use' }] }).warnings).toEqual([
      'content of type server_tool_use was left out',
    ]);
  });
});

describe('the usage of a message', () => {
  it('counts caches beside the input, by lifetime, and thinking within the output', () => {
    const reported = {
      input_tokens: 3,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 },
      output_tokens: 50,
      output_tokens_details: { thinking_tokens: 40 },
      service_tier: 'batch',
    };
    const result = read({ usage: reported });
    expect(result.usage).toEqual({
      input_tokens: 3,
      cached_input_tokens: 100,
      cache_write_tokens: 20,
      cache_write_1h_tokens: 10,
      output_tokens: 10,
      reasoning_tokens: 40,
    });
    expect(totalInput(result.usage ?? {})).toBe(133);
    expect(totalOutput(result.usage ?? {})).toBe(50);
    expect(bodyOf({ usage: reported }).usage).toEqual({
      prompt_tokens: 133,
      completion_tokens: 50,
      total_tokens: 183,
      prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 40 },
    });
    expect(result.warnings).toEqual([]);
  });

  it('takes writes without a lifetime for the usual one of five minutes', () => {
    for (const split of [null, undefined, {}]) {
      const result = read({ usage: { ...usage, cache_creation_input_tokens: 30, cache_creation: split } });
      expect(result.usage).toMatchObject({ cache_write_tokens: 30 });
      expect(result.warnings).toEqual([]);
    }
  });

  it.each<[string, object | null, string]>([
    ['is not there', null, 'not reported'],
    ['is zero', { input_tokens: 0, output_tokens: 0 }, 'zero'],
    ['lacks the output', { input_tokens: 5 }, 'output_tokens is missing'],
    ['has a count that is none', { input_tokens: 5, output_tokens: -1 }, 'output_tokens'],
    ['thinks more than it writes', { ...usage, output_tokens_details: { thinking_tokens: 9 } }, 'thinking_tokens'],
    [
      'does not add up',
      { ...usage, cache_creation_input_tokens: 5, cache_creation: { ephemeral_5m_input_tokens: 4 } },
      'add up',
    ],
    ['has a dearer tier', { ...usage, service_tier: 'priority' }, 'priority'],
    ['has other server tools', { ...usage, server_tool_use: { code_execution_requests: 2 } }, 'server tools'],
  ])('says when it %s', (_about, reported, text) => {
    expect(read({ usage: reported }).warnings).toEqual([expect.stringContaining(text)]);
  });
});

describe('an error of Anthropic', () => {
  const at = (type: string, text: string, status: number | null, headers = {}) =>
    failureOfError({ type: 'error', error: { type, message: text } }, status, headers, context);

  it.each([
    ['invalid_request_error', 400, 'invalid_request'],
    ['authentication_error', 401, 'authentication'],
    ['billing_error', 402, 'quota_exhausted'],
    ['permission_error', 403, 'permission'],
    ['not_found_error', 404, 'not_found'],
    ['request_too_large', 413, 'invalid_request'],
    ['rate_limit_error', 429, 'rate_limited'],
    ['api_error', 500, 'server_error'],
    ['timeout_error', 504, 'timeout'],
    ['overloaded_error', 529, 'overloaded'],
  ])('of type %s is read with its status, and without', (type, status, kind) => {
    expect(at(type, 'x', status)).toMatchObject({ kind, status, message: 'x', reachedProvider: true });
    expect(at(type, 'x', null)).toMatchObject({ kind, status });
    expect(failureOfError(undefined, status, {}, context)).toMatchObject({ kind, status });
  });

  it('about missing credit is no fault of the request', () => {
    const text = 'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.';
    expect(at('invalid_request_error', text, 400)).toMatchObject({
      kind: 'quota_exhausted',
      code: 'insufficient_quota',
    });
    expect(at('invalid_request_error', 'You have reached your specified API usage limits.', 400).kind).toBe(
      'quota_exhausted',
    );
  });

  it('about the length of the prompt or the model says so', () => {
    const long = at('invalid_request_error', 'prompt is too long: 200001 tokens > 200000 maximum', 400);
    expect(long).toMatchObject({ kind: 'invalid_request', code: 'context_length_exceeded' });
    expect(at('not_found_error', 'model: claude-x', 404).code).toBe('model_not_found');
  });

  it('does not repeat a credential', () => {
    expect(at('invalid_request_error', 'key sk-ant-canary', 400).message).not.toContain('canary');
  });

  it('tells how long to wait, by retry-after or by the limit that is used up', () => {
    expect(at('rate_limit_error', 'x', 429, { 'retry-after': '7' }).retryAfterMs).toBe(7000);
    const headers = {
      'anthropic-ratelimit-requests-remaining': '5',
      'anthropic-ratelimit-requests-reset': new Date(context.nowMs + 90_000).toISOString(),
      'anthropic-ratelimit-output-tokens-remaining': '0',
      'anthropic-ratelimit-output-tokens-reset': new Date(context.nowMs + 30_000).toISOString(),
    };
    expect(at('rate_limit_error', 'x', 429, headers).retryAfterMs).toBe(30_000);
    // Its clock may be hours off ours, and says so; what is over by it is over.
    for (const hours of [-3, 3]) {
      const theirs = context.nowMs + hours * 3_600_000;
      const reset = (ms: number) => ({
        date: new Date(theirs).toUTCString(),
        'anthropic-ratelimit-tokens-remaining': '0',
        'anthropic-ratelimit-tokens-reset': new Date(theirs + ms).toISOString(),
      });
      const [soon, over] = [12_000, -60_000].map((ms) => at('rate_limit_error', 'x', 429, reset(ms)).retryAfterMs);
      expect(Math.abs((soon ?? 0) - 12_000)).toBeLessThan(1_000);
      expect(over).toBeNull();
    }
    expect(at('overloaded_error', 'x', 529).retryAfterMs).toBeNull();
  });
});
