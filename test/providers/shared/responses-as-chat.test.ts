import { describe, expect, it } from 'vitest';
import type { Result } from '../../../providers/contract.ts';
import { answerAs, inWordsOf, toChatBody } from '../../../providers/shared/responses-as-chat.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';

type Fields = Record<string, unknown>;

function chat(endpoint: Endpoint, body: Fields): { body: Fields; warnings: string[] } {
  const mapped = toChatBody(endpoint, body);
  if (!mapped.ok) throw new Error(mapped.failure.message);
  return mapped;
}

function refusedBy(endpoint: Endpoint, body: Fields): string | null {
  const mapped = toChatBody(endpoint, body);
  if (mapped.ok) throw new Error(`mapped: ${JSON.stringify(mapped.body)}`);
  expect(mapped.failure.reachedProvider).toBe(false);
  return mapped.failure.param;
}

const responses = '/v1/responses';
const completions = '/v1/completions';

describe('a Responses body as a chat body', () => {
  it('keeps instructions, a text and the parameters that both have', () => {
    const shared = {
      model: 'm',
      temperature: 0.5,
      metadata: { a: 'b' },
      parallel_tool_calls: false,
      user: 'u',
      top_k: 4,
    };
    const asked = {
      ...shared,
      instructions: 'Be brief.',
      input: 'Hi',
      max_output_tokens: 9,
      background: false,
      tools: null,
    };
    expect(chat(responses, asked)).toEqual({
      ok: true,
      body: {
        ...shared,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hi' },
        ],
        max_completion_tokens: 9,
      },
      warnings: [],
    });
  });

  it('makes messages of items, calls beside their texts', () => {
    const input = [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'a' },
          { type: 'input_image', image_url: 'data:x', detail: 'low' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      {
        type: 'message',
        role: 'assistant',
        id: 'msg_1',
        status: 'completed',
        content: [{ type: 'output_text', text: 'b', annotations: [] }],
      },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
      { type: 'function_call', call_id: 'c2', name: 'g', arguments: '{"x":1}' },
      { type: 'function_call_output', call_id: 'c1', output: 'one' },
      { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'two' }] },
      { role: 'user', content: [{ type: 'input_file', filename: 'a.pdf', file_data: 'data:y' }] },
    ];
    const { body, warnings } = chat(responses, { input });
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'image_url', image_url: { url: 'data:x', detail: 'low' } },
        ],
      },
      {
        role: 'assistant',
        content: [{ type: 'text', text: 'b' }],
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } },
          { id: 'c2', type: 'function', function: { name: 'g', arguments: '{"x":1}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'one' },
      { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'two' }] },
      { role: 'user', content: [{ type: 'file', file: { file_data: 'data:y', filename: 'a.pdf' } }] },
    ]);
    expect(warnings).toEqual([expect.stringContaining('reasoning items')]);
  });

  it('renames tools, choices, formats, reasoning and verbosity', () => {
    const schema = { name: 'n', strict: true, schema: { type: 'object' } };
    const { body } = chat(responses, {
      input: 'x',
      tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object' }, strict: true }],
      tool_choice: { type: 'function', name: 'f' },
      text: { format: { type: 'json_schema', ...schema }, verbosity: 'low' },
      reasoning: { effort: 'high', summary: null },
    });
    expect(body).toMatchObject({
      tools: [
        { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true } },
      ],
      tool_choice: { type: 'function', function: { name: 'f' } },
      response_format: { type: 'json_schema', json_schema: schema },
      verbosity: 'low',
      reasoning_effort: 'high',
    });
    const allowed = { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] };
    expect(chat(responses, { input: 'x', tool_choice: allowed }).body.tool_choice).toEqual({
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] },
    });
  });

  it.each<[string, Fields, string]>([
    ['state kept at OpenAI', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['conversations', { conversation: 'conv_1' }, 'conversation'],
    ['stored prompts', { prompt: { id: 'pmpt_1' } }, 'prompt'],
    ['answers that come later', { background: true }, 'background'],
    ['tools of OpenAI', { tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    ['choices of other tools', { tool_choice: { type: 'file_search' } }, 'tool_choice'],
    ['other items', { input: [{ type: 'item_reference', id: 'x' }] }, 'input[0]'],
    [
      'files by id',
      { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'file-1' }] }] },
      'input[0].content[0]',
    ],
    [
      'images by id',
      { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] },
      'input[0].content[0].file_id',
    ],
    ['logprobs', { include: ['message.output_text.logprobs'] }, 'include'],
    ['other modes of reasoning', { reasoning: { mode: 'pro' } }, 'reasoning.mode'],
    ['no input', { input: undefined }, 'input'],
    ['a number for input', { input: 5 }, 'input'],
  ])('refuses %s by name', (_about, changes, param) => {
    expect(refusedBy(responses, { input: 'x', ...changes })).toBe(param);
  });

  it('warns of what it leaves out', () => {
    const asked = {
      input: 'x',
      truncation: 'auto',
      reasoning: { summary: 'auto' },
      include: ['reasoning.encrypted_content'],
    };
    expect(chat(responses, asked).warnings).toEqual([
      expect.stringContaining('include'),
      expect.stringContaining('truncation'),
      expect.stringContaining('reasoning.summary'),
    ]);
  });

  it('names parameters in the words of the endpoint', () => {
    const failure = refusal('unsupported', 'unsupported_parameter', `Remove 'response_format'.`, 'response_format');
    expect(inWordsOf(responses, failure)).toMatchObject({ param: 'text.format', message: `Remove 'text.format'.` });
    const inMessage = refusal('unsupported', 'u', `'messages[0].content' is empty`, 'messages[0].content');
    expect(inWordsOf(responses, inMessage)).toMatchObject({
      param: 'input[0].content',
      message: `'input[0].content' is empty`,
    });
    expect(inWordsOf('/v1/chat/completions', failure)).toBe(failure);
  });
});

describe('a completions body as a chat body', () => {
  it('asks the prompt as a message, with the short limit that completions have', () => {
    const { body, warnings } = chat(completions, {
      model: 'm',
      prompt: ['2 + 2 ='],
      echo: false,
      best_of: 1,
      stop: '\n\n',
    });
    expect(body).toEqual({
      model: 'm',
      stop: '\n\n',
      max_tokens: 16,
      messages: [{ role: 'user', content: '2 + 2 =' }],
    });
    expect(warnings).toHaveLength(2);
  });

  it.each<[Fields, string]>([
    [{ prompt: ['a', 'b'] }, 'prompt'],
    [{ prompt: [1, 2] }, 'prompt'],
    [{ prompt: [[1], [2]] }, 'prompt'],
    [{}, 'prompt'],
    [{ prompt: 'a', suffix: 'b' }, 'suffix'],
    [{ prompt: 'a', echo: true }, 'echo'],
    [{ prompt: 'a', logprobs: 0 }, 'logprobs'],
    [{ prompt: 'a', best_of: 3 }, 'best_of'],
  ])('refuses %j', (asked, param) => {
    expect(refusedBy(completions, asked)).toBe(param);
  });
});

describe('a chat completion as the answer of another endpoint', () => {
  const usage = {
    prompt_tokens: 5,
    completion_tokens: 3,
    total_tokens: 8,
    prompt_tokens_details: { cached_tokens: 2 },
  };

  function success(message: Fields, finish: string): Result {
    const choices = [{ index: 0, message: { role: 'assistant', ...message }, logprobs: null, finish_reason: finish }];
    const body = JSON.stringify({ id: 'msg_1', object: 'chat.completion', created: 7, model: 'm', choices, usage });
    const rest = { usage: null, rawUsage: null, servedModel: 'm', finishReason: finish, warnings: [], requestId: null };
    return { ok: true, status: 200, body, ...rest };
  }

  function shown(endpoint: Endpoint, result: Result): { finishReason: string | null; body: Fields } {
    const answered = answerAs(endpoint, result);
    if (!answered.ok) throw new Error('failed');
    expect(answered.body).not.toMatch(/[\n\u2028]/);
    return { finishReason: answered.finishReason, body: JSON.parse(answered.body) as Fields };
  }

  it('gives a response with its items and usage', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const result = success(
      { content: 'a\u2028b', refusal: null, reasoning_content: 'hm', tool_calls: [call] },
      'tool_calls',
    );
    const { body, finishReason } = shown(responses, result);
    expect(finishReason).toBe('completed');
    expect(body).toMatchObject({
      id: 'resp_msg_1',
      object: 'response',
      created_at: 7,
      status: 'completed',
      error: null,
      incomplete_details: null,
      model: 'm',
      output: [
        { type: 'reasoning', content: [{ type: 'reasoning_text', text: 'hm' }] },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'a\u2028b', annotations: [] }] },
        { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}', status: 'completed' },
      ],
      usage: {
        input_tokens: 5,
        input_tokens_details: { cached_tokens: 2 },
        output_tokens: 3,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 8,
      },
    });
  });

  it.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('gives an incomplete response for %s', (finish, reason) => {
    const { body, finishReason } = shown(responses, success({ content: null, refusal: 'No.' }, finish));
    expect(body).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason },
      output: [{ type: 'message', status: 'incomplete', content: [{ type: 'refusal', refusal: 'No.' }] }],
    });
    expect(finishReason).toBe(reason);
  });

  it('gives a text completion', () => {
    const { body, finishReason } = shown(completions, success({ content: '4' }, 'stop'));
    expect(body).toEqual({
      id: 'cmpl-msg_1',
      object: 'text_completion',
      created: 7,
      model: 'm',
      choices: [{ index: 0, text: '4', logprobs: null, finish_reason: 'stop' }],
      usage,
    });
    expect(finishReason).toBe('stop');
  });

  it('leaves chat answers and failures as they are', () => {
    const result = success({ content: '4' }, 'stop');
    expect(answerAs('/v1/chat/completions', result)).toBe(result);
    const failure = refusal('timeout', 'timeout', 'x');
    const failed: Result = { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
    expect(answerAs(responses, failed)).toBe(failed);
  });
});
