import { describe, expect, it } from 'vitest';
import { type Fields, map, refusedBy, user, weather } from './anthropic-mapping.ts';

const weatherTool = {
  name: 'weather',
  input_schema: { type: 'object', $defs: { a: {} }, additionalProperties: false },
  strict: true,
};

describe('a chat body as a Messages body', () => {
  it('keeps texts, instructions and turns, in order', () => {
    const { body, warnings } = map({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: [{ type: 'text', text: 'Use metres.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: '' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c', refusal: null, tool_calls: [] },
        { role: 'user', content: 'd' },
      ],
    });
    expect(body).toEqual({
      model: 'm',
      max_tokens: 100,
      system: [
        { type: 'text', text: 'Be brief.' },
        { type: 'text', text: 'Use metres.' },
      ],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c' },
        { role: 'user', content: 'd' },
      ],
    });
    expect(warnings).toEqual([]);
  });

  it('moves an instruction in mid-conversation to the beginning and says so', () => {
    const { body, warnings } = map({ messages: [user, { role: 'system', content: 'Stop.' }, user] });
    expect(body).toMatchObject({ system: 'Stop.', messages: [user, user] });
    expect(warnings).toEqual([expect.stringContaining('messages[1]')]);
  });

  it('puts all results of one turn of tool calls into one user turn, with ids in its alphabet', () => {
    const call = (id: string, text: string) => ({
      id,
      type: 'function',
      function: { name: 'weather', arguments: text },
    });
    const { body } = map({
      tools: [weather],
      messages: [
        user,
        { role: 'assistant', content: null, tool_calls: [call('call.1', '{"at":"Bern"}'), call('call:1', '')] },
        { role: 'tool', tool_call_id: 'call.1', content: '7 °C' },
        {
          role: 'tool',
          tool_call_id: 'call:1',
          content: [
            { type: 'text', text: 'x' },
            { type: 'text', text: 'y' },
          ],
        },
        { role: 'user', content: 'Thanks' },
      ],
    });
    expect(body.messages).toEqual([
      user,
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'call_1', name: 'weather', input: { at: 'Bern' } },
          { type: 'tool_use', id: 'call_1_2', name: 'weather', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: '7 °C' },
          {
            type: 'tool_result',
            tool_use_id: 'call_1_2',
            content: [
              { type: 'text', text: 'x' },
              { type: 'text', text: 'y' },
            ],
          },
        ],
      },
      { role: 'user', content: 'Thanks' },
    ]);
    expect(body.tools).toEqual([weatherTool]);
  });

  it('takes images, PDFs and texts, by data URL or by address', () => {
    const part = (url: string) => ({ type: 'image_url', image_url: { url } });
    const file = (data: string) => ({ type: 'file', file: { filename: 'a.pdf', file_data: data } });
    const content = [
      part('data:image/jpg;base64,AAAA'),
      part('https://example.com/a.png'),
      file('data:application/pdf;base64,JVBE'),
      file('data:text/plain;base64,w6TDtg=='),
    ];
    expect(map({ messages: [{ role: 'user', content }] }).body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: 'AAAA' } },
          { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
          { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, title: 'a.pdf' },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'äö' }, title: 'a.pdf' },
        ],
      },
    ]);
    const asked = { messages: [{ role: 'user', content: [part('https://example.com/a.png')] }] };
    expect(refusedBy(asked, undefined, { fetchesUrls: false })).toBe('messages[0].content[0].image_url.url');
    for (const url of ['file:///etc/passwd', 'data:image/svg+xml;base64,AA', 'gs://b/o']) {
      expect(refusedBy({ messages: [{ role: 'user', content: [part(url)] }] })).toBe(
        'messages[0].content[0].image_url.url',
      );
    }
  });

  it('passes cache breakpoints on, or leaves them out with a warning', () => {
    const content = [
      { type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } },
      { type: 'text', text: 'b', prompt_cache_breakpoint: { mode: 'explicit', ttl: '30m' } },
      { type: 'text', text: 'c', prompt_cache_breakpoint: { mode: 'explicit' } },
    ];
    const { body } = map({ messages: [{ role: 'user', content }] });
    const controls = (body.messages as { content: Fields[] }[])[0]?.content.map((block) => block.cache_control);
    expect(controls).toEqual([
      { type: 'ephemeral', ttl: '1h' },
      { type: 'ephemeral', ttl: '1h' },
      { type: 'ephemeral' },
    ]);
    const without = map({ messages: [{ role: 'user', content }] }, undefined, { caches: false });
    expect(JSON.stringify(without.body)).not.toContain('cache_control');
    expect(without.warnings).toEqual([expect.stringContaining('cache breakpoints')]);
  });

  it.each<[string, Fields, Fields]>([
    ['stop text', { stop: 'END' }, { stop_sequences: ['END'] }],
    ['stop list', { stop: ['a', 'b'] }, { stop_sequences: ['a', 'b'] }],
    ['temperature', { temperature: 0.2 }, { temperature: 0.2 }],
    ['top_p beside the usual temperature', { top_p: 0.5, temperature: 1 }, { top_p: 0.5 }],
    ['top_k', { top_k: 40 }, { top_k: 40 }],
    ['the newer limit first', { max_tokens: 5, max_completion_tokens: 7 }, { max_tokens: 7 }],
    ['user', { user: 'u-1' }, { metadata: { user_id: 'u-1' } }],
    ['safety_identifier first', { user: 'u-1', safety_identifier: 's-1' }, { metadata: { user_id: 's-1' } }],
    ['usual tiers', { service_tier: 'default' }, {}],
    ['its own tier', { service_tier: 'standard_only' }, { service_tier: 'standard_only' }],
    [
      'neutral values',
      { n: 1, logprobs: false, presence_penalty: 0, logit_bias: {}, modalities: ['text'], store: false },
      {},
    ],
    ['nulls', { stop: null, tools: null, seed: null, response_format: null, temperature: null }, {}],
    ['plain text format', { response_format: { type: 'text' } }, {}],
    [
      'a schema',
      {
        response_format: { type: 'json_schema', json_schema: { name: 'n', strict: true, schema: { type: 'object' } } },
      },
      { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    ],
    [
      'a schema with a description of the format',
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'n', description: 'An age.', schema: { type: 'object' } },
        },
      },
      { output_config: { format: { type: 'json_schema', schema: { description: 'An age.', type: 'object' } } } },
    ],
    ['no choice', { tools: [weather], tool_choice: 'auto' }, { tools: [weatherTool] }],
    [
      'a forced choice',
      { tools: [weather], tool_choice: 'required' },
      { tools: [weatherTool], tool_choice: { type: 'any' } },
    ],
    ['no tool', { tools: [weather], tool_choice: 'none' }, { tools: [weatherTool], tool_choice: { type: 'none' } }],
    [
      'a named tool, one at a time',
      {
        tools: [weather],
        tool_choice: { type: 'function', function: { name: 'weather' } },
        parallel_tool_calls: false,
      },
      { tools: [weatherTool], tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true } },
    ],
    [
      'one at a time',
      { tools: [weather], parallel_tool_calls: false },
      { tools: [weatherTool], tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    ],
    [
      'allowed tools',
      {
        tools: [weather, { type: 'function', function: { name: 'other' } }],
        tool_choice: {
          type: 'allowed_tools',
          allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'other' } }] },
        },
      },
      { tools: [{ name: 'other', input_schema: { type: 'object', properties: {} } }], tool_choice: { type: 'any' } },
    ],
  ])('maps %s', (_about, asked, expected) => {
    const { body, warnings } = map(asked);
    expect(body).toEqual({ model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...expected });
    expect(warnings).toEqual([]);
  });

  it.each<[string, Fields, string]>([
    ['n', { n: 2 }, 'n'],
    ['logprobs', { logprobs: true }, 'logprobs'],
    ['top_logprobs', { top_logprobs: 3 }, 'top_logprobs'],
    ['logit_bias', { logit_bias: { 50256: -100 } }, 'logit_bias'],
    ['penalties', { frequency_penalty: 0.5 }, 'frequency_penalty'],
    ['json_object', { response_format: { type: 'json_object' } }, 'response_format'],
    ['verbosity', { verbosity: 'low' }, 'verbosity'],
    ['audio', { modalities: ['text', 'audio'], audio: null }, 'modalities'],
    ['web search', { web_search_options: {} }, 'web_search_options'],
    ['functions', { functions: [{}] }, 'functions'],
    ['other tiers', { service_tier: 'flex' }, 'service_tier'],
    ['what nobody knows', { guided_json: {} }, 'guided_json'],
    ['tools of other kinds', { tools: [{ type: 'custom', custom: {} }] }, 'tools[0].type'],
    ['white space to stop at', { stop: ['\n'] }, 'stop'],
    ['a temperature above 1', { temperature: 1.5 }, 'temperature'],
    ['temperature and top_p at once', { temperature: 0.5, top_p: 0.5 }, 'top_p'],
    ['a limit of 0', { max_tokens: 0 }, 'max_tokens'],
    ['no messages', { messages: [] }, 'messages'],
    ['instructions alone', { messages: [{ role: 'system', content: 'x' }] }, 'messages'],
    ['an assistant first', { messages: [{ role: 'assistant', content: 'x' }] }, 'messages'],
    ['empty content', { messages: [{ role: 'user', content: '' }] }, 'messages[0].content'],
    ['the function role', { messages: [user, { role: 'function', name: 'f', content: 'x' }] }, 'messages[1].role'],
    ['audio parts', { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 'messages[0].content[0]'],
    [
      'file ids',
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
      'messages[0].content[0].file.file_id',
    ],
    [
      'arguments that are no object',
      {
        messages: [
          user,
          { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '[1' } }] },
        ],
      },
      'messages[1].tool_calls[0].function.arguments',
    ],
  ])('refuses %s by name', (_about, asked, param) => {
    expect(refusedBy(asked)).toBe(param);
  });

  it('leaves out what does not change the answer, with a warning for each', () => {
    const asked = { seed: 1, metadata: { a: 'b' }, store: true, prediction: {}, prompt_cache_key: 'k', user: 'a@b.ch' };
    const { body, warnings } = map({ ...asked, messages: [{ ...user, name: 'Ann' }] });
    expect(Object.keys(body)).toEqual(['model', 'max_tokens', 'messages']);
    expect(warnings).toHaveLength(7);
    for (const name of Object.keys(asked))
      expect(
        warnings.some((text) => text.startsWith(name)),
        name,
      ).toBe(true);
  });

  it('does not lose a member that is called __proto__', () => {
    expect(refusedBy(JSON.parse('{"__proto__":{"temperature":0}}') as Fields)).toBe('__proto__');
  });
});
