import { describe, expect, it } from 'vitest';
import type { Converted } from '../../../providers/contract.ts';
import { createProvider } from '../kinds.ts';

const nova = 'us.amazon.nova-lite-v1:0';
const oss = 'openai.gpt-oss-120b-1:0';
const provider = createProvider('bedrock', { region: 'us-east-1' });
const user = [{ role: 'user', content: 'Hello' }];
const tool = {
  type: 'function',
  function: { name: 'find', description: '', parameters: { type: 'object', $defs: { a: {} } } },
};
const png = 'data:image/png;base64,iVBORw0KGgo=';

function convert(
  body: object,
  model = nova,
  endpoint: '/v1/chat/completions' | '/v1/embeddings' = '/v1/chat/completions',
): Converted {
  return provider.convert({ customId: 'r', endpoint, body: body as Record<string, unknown> }, model);
}

function native(body: object, model = nova): Record<string, unknown> {
  const converted = convert(body, model);
  if (!converted.ok) throw new Error(converted.failure.message);
  return JSON.parse(converted.request.body) as Record<string, unknown>;
}

function refused(body: object, model = nova) {
  const converted = convert(body, model);
  if (converted.ok) throw new Error(`taken as ${converted.request.body}`);
  expect(converted.failure.reachedProvider).toBe(false);
  return converted.failure;
}

describe('what messages say beside their content', () => {
  it('is sent where Converse has a place for it', () => {
    const messages = [
      { role: 'user', content: 'Hi', prompt_cache_breakpoint: { ttl: '1h' } },
      { role: 'assistant', content: null, refusal: 'I will not.' },
      { role: 'user', content: [{ type: 'text', text: 'Why?', prompt_cache_breakpoint: {} }] },
    ];
    expect(native({ messages }).messages).toEqual([
      { role: 'user', content: [{ text: 'Hi' }, { cachePoint: { type: 'default', ttl: '1h' } }] },
      { role: 'assistant', content: [{ text: 'I will not.' }] },
      { role: 'user', content: [{ text: 'Why?' }, { cachePoint: { type: 'default' } }] },
    ]);
  });

  it('is refused where an answer in audio is meant', () => {
    const messages = [...user, { role: 'assistant', audio: { id: 'audio_1' } }, ...user];
    expect(refused({ messages })).toMatchObject({ param: 'messages[1].audio' });
  });

  it('is left out with a warning otherwise', () => {
    const messages = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: png, detail: 'high' } }] },
      { role: 'assistant', content: '' },
      { role: 'assistant', content: 'So.', reasoning_content: 'Hm.' },
      ...user,
    ];
    const converted = convert({ messages, tools: [{ ...tool, cache_control: { type: 'ephemeral' } }] });
    expect(converted.ok && converted.warnings).toEqual([
      'image_url.detail was left out: Bedrock has no such setting',
      'an empty message was left out: Bedrock takes none',
      'reasoning_content of messages was left out: Bedrock has no place for it',
      'cache breakpoints of tools were left out: messages may have them',
    ]);
  });
});

describe('chat as Converse', () => {
  it('maps every parameter that has an equivalent', () => {
    const body = {
      model: 'ignored',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: [{ type: 'text', text: 'In French.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url: png, detail: 'low' } },
          ],
        },
      ],
      max_completion_tokens: 50,
      max_tokens: 10,
      temperature: 0,
      top_p: 0.5,
      top_k: 4,
      stop: 'END',
    };
    expect(native(body)).toEqual({
      messages: [
        {
          role: 'user',
          content: [{ text: 'What is it?' }, { image: { format: 'png', source: { bytes: 'iVBORw0KGgo=' } } }],
        },
      ],
      system: [{ text: 'Be brief.' }, { text: 'In French.' }],
      inferenceConfig: { maxTokens: 50, temperature: 0, topP: 0.5, stopSequences: ['END'] },
      additionalModelRequestFields: { inferenceConfig: { topK: 4 } },
    });
  });

  it('keeps tools, their whole schemas, calls and results, and puts the results of a turn into one message', () => {
    const call = (id: string) => ({ id, type: 'function', function: { name: 'find', arguments: '{"q":1}' } });
    const body = {
      messages: [
        ...user,
        { role: 'assistant', content: null, tool_calls: [call('call_1'), call('call_2')] },
        { role: 'tool', tool_call_id: 'call_1', content: 'one' },
        { role: 'tool', tool_call_id: 'call_2', content: '' },
        { role: 'user', content: 'Go on' },
      ],
      tools: [tool],
      tool_choice: { type: 'function', function: { name: 'find' } },
    };
    const use = (toolUseId: string) => ({ toolUse: { toolUseId, name: 'find', input: { q: 1 } } });
    expect(native(body)).toEqual({
      messages: [
        { role: 'user', content: [{ text: 'Hello' }] },
        { role: 'assistant', content: [use('call_1'), use('call_2')] },
        {
          role: 'user',
          content: [
            { toolResult: { toolUseId: 'call_1', content: [{ text: 'one' }] } },
            { toolResult: { toolUseId: 'call_2', content: [{ json: {} }] } },
            { text: 'Go on' },
          ],
        },
      ],
      toolConfig: {
        tools: [{ toolSpec: { name: 'find', inputSchema: { json: { type: 'object', $defs: { a: {} } } } } }],
        toolChoice: { tool: { name: 'find' } },
      },
    });
  });

  it.each([
    ['auto', { auto: {} }],
    ['required', { any: {} }],
    [{ type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [tool] } }, { any: {} }],
  ])('maps tool_choice %j', (choice, expected) => {
    expect(native({ messages: user, tools: [tool], tool_choice: choice })).toMatchObject({
      toolConfig: { toolChoice: expected },
    });
  });

  it('leaves tools out for tool_choice none, unless earlier calls need them', () => {
    expect(native({ messages: user, tools: [tool], tool_choice: 'none' }).toolConfig).toBeUndefined();
    const call = { id: 'c', type: 'function', function: { name: 'find', arguments: '' } };
    const messages = [
      ...user,
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
    ];
    expect(refused({ messages, tools: [tool], tool_choice: 'none' }).param).toBe('tool_choice');
  });

  it('writes a schema as text, for models that promise one', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const format = { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } };
    expect(native({ messages: user, response_format: format }, oss).outputConfig).toEqual({
      textFormat: {
        type: 'json_schema',
        structure: { jsonSchema: { schema: JSON.stringify(schema), name: 'answer' } },
      },
    });
    expect(refused({ messages: user, response_format: format }).param).toBe('response_format');
    expect(refused({ messages: user, response_format: { type: 'json_object' } }, oss).param).toBe('response_format');
    expect(native({ messages: user, response_format: { type: 'text' } }).outputConfig).toBeUndefined();
  });

  it('maps the reasoning effort where the family has one', () => {
    expect(native({ messages: user, reasoning_effort: 'low' }, oss).additionalModelRequestFields).toEqual({
      reasoning_effort: 'low',
    });
    expect(native({ messages: user, reasoning_effort: 'high' }, 'global.amazon.nova-2-lite-v1:0')).toMatchObject({
      additionalModelRequestFields: { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'high' } },
    });
    expect(refused({ messages: user, reasoning_effort: 'low' }).param).toBe('reasoning_effort');
  });

  it.each([
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ top_logprobs: 3 }, 'top_logprobs'],
    [{ logit_bias: { 5: 1 } }, 'logit_bias'],
    [{ frequency_penalty: 0.5 }, 'frequency_penalty'],
    [{ presence_penalty: -1 }, 'presence_penalty'],
    [{ temperature: 1.5 }, 'temperature'],
    [{ parallel_tool_calls: false }, 'parallel_tool_calls'],
    [{ service_tier: 'flex' }, 'service_tier'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ audio: { voice: 'alloy' } }, 'audio'],
    [{ web_search_options: { search_context_size: 'low' } }, 'web_search_options'],
    [{ verbosity: 'low' }, 'verbosity'],
    [{ functions: [] }, 'functions'],
    [{ guided_json: {} }, 'guided_json'],
    [{ base_url: 'http://169.254.169.254' }, 'base_url'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
    [{ stop: [''] }, 'stop'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ __proto__: null, constructor: 1 }, 'constructor'],
  ])('refuses %j by name', (parameters, param) => {
    expect(refused({ messages: user, ...parameters })).toMatchObject({ param });
  });

  it('takes every parameter that asks for what happens anyway', () => {
    const neutral = {
      n: 1,
      logprobs: false,
      top_logprobs: 0,
      logit_bias: {},
      frequency_penalty: 0,
      presence_penalty: 0,
      parallel_tool_calls: true,
      service_tier: 'auto',
      modalities: ['text'],
      verbosity: 'medium',
      store: false,
      stream: false,
      temperature: null,
    };
    const converted = convert({ messages: user, ...neutral });
    expect(converted).toMatchObject({ ok: true, warnings: [] });
    expect(native({ messages: user, ...neutral })).toEqual({
      messages: [{ role: 'user', content: [{ text: 'Hello' }] }],
    });
  });

  it('says what it left out', () => {
    const body = {
      messages: [{ role: 'user', content: 'x', name: 'Ann' }],
      seed: 1,
      user: 'u',
      metadata: {},
      store: true,
      stream: true,
    };
    const converted = convert(body);
    expect(converted.ok && converted.warnings.map((text) => text.split(' ')[0])).toEqual([
      'name',
      'seed',
      'user',
      'metadata',
      'store',
      'stream',
    ]);
  });

  it.each([
    ['http://example.com/a.png', 'unsupported'],
    ['s3://bucket/a.png', 'unsupported'],
    ['data:image/png,plain', 'invalid_request'],
    ['data:image/svg+xml;base64,AAAA', 'unsupported'],
  ])('refuses the image %s, and never fetches one', (url, kind) => {
    const failure = refused({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });
    expect(failure).toMatchObject({ kind, param: 'messages[0].content[0].image_url' });
  });

  it('takes files as documents, with names that Converse allows', () => {
    const file = { filename: 'Q3 report_final.v2.pdf', file_data: 'data:application/pdf;base64,AAAA' };
    const content = [
      { type: 'text', text: 'Read' },
      { type: 'file', file },
    ];
    expect(native({ messages: [{ role: 'user', content }] }).messages).toEqual([
      {
        role: 'user',
        content: [
          { text: 'Read' },
          { document: { format: 'pdf', name: 'Q3 report final v2 0-1', source: { bytes: 'AAAA' } } },
        ],
      },
    ]);
    const byId = [{ type: 'file', file: { file_id: 'file-1' } }];
    expect(refused({ messages: [{ role: 'user', content: byId }] }).param).toBe('messages[0].content[0].file');
  });

  it('refuses what a model cannot read', () => {
    const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: png } }] }];
    expect(refused({ messages: image }, 'meta.llama3-3-70b-instruct-v1:0').message).toContain('does not take images');
    const audio = [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] }];
    expect(refused({ messages: audio }).param).toBe('messages[0].content[0].input_audio');
    expect(native({ messages: audio }, 'mistral.voxtral-mini-3b-2507').messages).toEqual([
      { role: 'user', content: [{ audio: { format: 'wav', source: { bytes: 'AAAA' } } }] },
    ]);
    expect(refused({ messages: user, tools: [tool] }, 'deepseek.r1-v1:0').param).toBe('tools');
  });

  it('merges turns of one role and leaves out texts that are empty', () => {
    const messages = [
      { role: 'user', content: 'a' },
      {
        role: 'user',
        content: [
          { type: 'text', text: '' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
      { role: 'assistant', content: '' },
      { role: 'user', content: 'c' },
    ];
    expect(native({ messages }).messages).toEqual([
      { role: 'user', content: [{ text: 'a' }, { text: 'b' }] },
      { role: 'assistant', content: [{ text: 'No.' }] },
      { role: 'user', content: [{ text: 'c' }] },
    ]);
    expect(refused({ messages: [{ role: 'user', content: ' ' }] }).param).toBe('messages');
  });

  it.each(['mistral.mistral-7b-instruct-v0:2', 'amazon.titan-text-express-v1'])(
    'keeps the text of a system message, once, for %s, which has no system role',
    (model) => {
      const messages = [{ role: 'system', content: [{ type: 'text', text: 'Be brief.' }] }, ...user];
      expect(native({ messages }, model)).toEqual({
        messages: [{ role: 'user', content: [{ text: 'Be brief.\n\n' }, { text: 'Hello' }] }],
      });
      expect(convert({ messages }, model)).toMatchObject({
        ok: true,
        warnings: [expect.stringContaining('system message')],
      });
    },
  );

  it('turns cache_control into a cache point, and takes it out of a batch', () => {
    const part = { type: 'text', text: 'long', cache_control: { type: 'ephemeral', ttl: '1h' } };
    const converted = convert({ messages: [{ role: 'user', content: [part] }] });
    if (!converted.ok) throw new Error(converted.failure.message);
    expect(JSON.parse(converted.request.body)).toEqual({
      messages: [{ role: 'user', content: [{ text: 'long' }, { cachePoint: { type: 'default', ttl: '1h' } }] }],
    });
    const inBatch = createProvider('bedrock', {
      region: 'us-east-1',
      role_arn: 'arn:aws:iam::123456789012:role/r',
      bucket: 'bbb',
    }).batch;
    expect(JSON.parse(inBatch?.line('k-1', converted.request) ?? '')).toEqual({
      recordId: 'k-1',
      modelInput: { messages: [{ role: 'user', content: [{ text: 'long' }] }] },
    });
  });
});
