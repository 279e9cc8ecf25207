import { describe, expect, it } from 'vitest';
import type { Converted } from '../../../providers/contract.ts';
import { createProvider } from '../kinds.ts';

const provider = createProvider('vertex', {
  project: 'p-1',
  bucket: 'work',
  file_buckets: ['media'],
  safety_settings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'OFF' }],
});
const plain = createProvider('vertex', { project: 'p-1' });

const ask = [{ role: 'user', content: 'Hi' }];

function convert(body: Record<string, unknown>, model = 'gemini-2.5-flash', by = plain): Converted {
  return by.convert({ customId: 'c', endpoint: '/v1/chat/completions', body: { messages: ask, ...body } }, model);
}

function native(body: Record<string, unknown>, model?: string, by = plain): Record<string, unknown> {
  const converted = convert(body, model, by);
  if (!converted.ok) throw new Error(converted.failure.message);
  return JSON.parse(converted.request.body) as Record<string, unknown>;
}

function configOf(body: Record<string, unknown>, model?: string): unknown {
  return native(body, model).generationConfig;
}

function warningsOf(body: Record<string, unknown>, model?: string): string[] {
  const converted = convert(body, model);
  if (!converted.ok) throw new Error(converted.failure.message);
  return converted.warnings;
}

describe('a chat request as a request of Gemini', () => {
  it('keeps system messages apart, joins turns of one role and groups the results of tools', () => {
    const call = (id: string, city: string) => ({
      id,
      type: 'function',
      function: { name: 'weather', arguments: JSON.stringify({ city }) },
    });
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: [{ type: 'text', text: 'Use Celsius.' }] },
      { role: 'user', content: 'Weather in Rome?' },
      { role: 'user', content: [{ type: 'text', text: 'And Oslo?' }] },
      { role: 'assistant', content: null, tool_calls: [call('a', 'Rome'), call('b', 'Oslo')] },
      { role: 'tool', tool_call_id: 'a', content: '21' },
      { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: '7' }] },
      { role: 'user', content: 'Thanks!' },
    ];
    const functionCall = (city: string) => ({ functionCall: { name: 'weather', args: { city } } });
    const functionResponse = (output: string) => ({ functionResponse: { name: 'weather', response: { output } } });
    expect(native({ messages })).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief.\n\nUse Celsius.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Weather in Rome?' }, { text: 'And Oslo?' }] },
        { role: 'model', parts: [functionCall('Rome'), functionCall('Oslo')] },
        { role: 'user', parts: [functionResponse('21'), functionResponse('7')] },
        { role: 'user', parts: [{ text: 'Thanks!' }] },
      ],
    });
  });

  it('says what it leaves out of messages, tools and formats, and where it moves an instruction', () => {
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }] },
      { role: 'assistant', content: 'Hello', reasoning_content: 'Hm.', annotations: [] },
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Go on.', cache_control: null },
    ];
    const tools = [{ type: 'function', function: { name: 'f', strict: true } }];
    expect(warningsOf({ messages, tools })).toEqual([
      'cache breakpoints were left out: Gemini finds what to cache by itself',
      'reasoning_content of messages was left out: Gemini has no place for it',
      'a system message between others was moved to the front: Gemini has one place for them',
      'strict was left out of tools: Gemini does not enforce their schemas',
    ]);
    const json_schema = { name: 'a', description: 'An age.', schema: { type: 'object' } };
    expect(configOf({ response_format: { type: 'json_schema', json_schema } })).toMatchObject({
      responseJsonSchema: { description: 'An age.', type: 'object' },
    });
  });

  it('sends back thought signatures, and what skips their check where a 3.x model would miss one', () => {
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
    const signed = { ...call, extra_content: { google: { thought_signature: 'c2ln' } } };
    const parts = (toolCall: object, model: string) => {
      const messages = [...ask, { role: 'assistant', tool_calls: [toolCall] }];
      return (native({ messages }, model).contents as { parts: unknown[] }[])[1]?.parts[0];
    };
    expect(parts(signed, 'gemini-3.5-flash')).toMatchObject({ thoughtSignature: 'c2ln' });
    expect(parts(call, 'gemini-3.5-flash')).toMatchObject({ thoughtSignature: 'skip_thought_signature_validator' });
    expect(parts(call, 'gemini-2.5-flash')).toEqual({ functionCall: { name: 'f', args: {} } });
  });

  it('puts images, audio and files in line, and takes gs:// in listed buckets only', () => {
    const content = [
      { type: 'text', text: 'Look' },
      { type: 'image_url', image_url: { url: 'data:image/PNG;base64,aGk=', detail: 'high' } },
      { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,aGk=' } },
      { type: 'image_url', image_url: { url: 'gs://media/cats/1.JPG' } },
    ];
    const messages = [{ role: 'user', content }];
    expect(native({ messages }, undefined, provider).contents).toEqual([
      {
        role: 'user',
        parts: [
          { text: 'Look' },
          { inlineData: { mimeType: 'image/png', data: 'aGk=' } },
          { inlineData: { mimeType: 'audio/wav', data: 'aGk=' } },
          { inlineData: { mimeType: 'application/pdf', data: 'aGk=' } },
          { fileData: { fileUri: 'gs://media/cats/1.JPG', mimeType: 'image/jpeg' } },
        ],
      },
    ]);
  });

  it.each([
    ['https://example.com/cat.png'],
    ['http://169.254.169.254/latest/meta-data'],
    ['gs://work/weir/other-tenant/input.jsonl'],
    ['gs://media/no-extension'],
    ['file:///etc/passwd'],
  ])('refuses %s by name and sends nothing', (url) => {
    const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }];
    const converted = convert({ messages }, undefined, provider);
    expect(converted).toMatchObject({
      ok: false,
      failure: { kind: 'unsupported', param: 'messages[0].content[0].image_url.url', reachedProvider: false },
    });
  });

  it('maps everything that steers the generation', () => {
    const body = {
      max_tokens: 5,
      max_completion_tokens: 50,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: -0.2,
      stop: 'END',
      n: 2,
      logprobs: true,
      top_logprobs: 3,
      response_format: { type: 'json_object' },
    };
    expect(configOf(body)).toEqual({
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      presencePenalty: 0.1,
      frequencyPenalty: -0.2,
      stopSequences: ['END'],
      candidateCount: 2,
      responseLogprobs: true,
      logprobs: 3,
      responseMimeType: 'application/json',
    });
    expect(configOf({ stop: ['a', 'b'] })).toEqual({ stopSequences: ['a', 'b'] });
    expect(native({})).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] });
  });

  it('hands JSON Schema on to models that read it, and rewrites it for those that do not', () => {
    const schema = {
      type: 'object',
      properties: { name: { type: ['string', 'null'] }, kind: { const: 'cat' } },
      required: ['name'],
      additionalProperties: false,
    };
    const format = { response_format: { type: 'json_schema', json_schema: { name: 'pet', strict: true, schema } } };
    expect(configOf(format)).toEqual({ responseMimeType: 'application/json', responseJsonSchema: schema });
    expect(configOf(format, 'gemini-2.0-flash-001')).toEqual({
      responseMimeType: 'application/json',
      responseSchema: {
        type: 'object',
        properties: { name: { type: 'string', nullable: true }, kind: { type: 'string', enum: ['cat'] } },
        required: ['name'],
      },
    });
    const referring = { ...schema, properties: { a: { $ref: '#/$defs/a' } } };
    const failed = convert(
      { response_format: { type: 'json_schema', json_schema: { name: 'pet', schema: referring } } },
      'gemini-2.0-flash-001',
    );
    expect(failed).toMatchObject({
      failure: { kind: 'unsupported', param: 'response_format.json_schema.schema.properties.a.$ref' },
    });
  });

  it('declares tools and forces them as asked', () => {
    const tool = (name: string) => ({
      type: 'function',
      function: { name, description: 'does', parameters: { type: 'object', properties: {} } },
    });
    const tools = [tool('f'), tool('g')];
    const calling = (choice: unknown) => native({ tools, tool_choice: choice }).toolConfig;
    expect(native({ tools }).tools).toEqual([
      {
        functionDeclarations: ['f', 'g'].map((name) => ({
          name,
          description: 'does',
          parametersJsonSchema: { type: 'object', properties: {} },
        })),
      },
    ]);
    expect(calling('auto')).toBeUndefined();
    expect(calling('none')).toEqual({ functionCallingConfig: { mode: 'NONE' } });
    expect(calling('required')).toEqual({ functionCallingConfig: { mode: 'ANY' } });
    const named = { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['g'] } };
    expect(calling({ type: 'function', function: { name: 'g' } })).toEqual(named);
    const allowed = { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] };
    expect(calling({ type: 'allowed_tools', allowed_tools: allowed })).toEqual({
      functionCallingConfig: { mode: 'VALIDATED', allowedFunctionNames: ['f'] },
    });
    expect(convert({ tools, tool_choice: { type: 'function', function: { name: 'x' } } }).ok).toBe(false);
    expect(convert({ tool_choice: 'required' })).toMatchObject({ failure: { param: 'tool_choice' } });
    expect(convert({ tools: [{ type: 'custom', custom: { name: 'c' } }] })).toMatchObject({
      failure: { param: 'tools[0].type' },
    });
  });

  it.each([
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }, 0],
    ['gemini-2.5-flash', 'medium', { thinkingBudget: 8192 }, 0],
    ['gemini-2.5-pro', 'high', { thinkingBudget: 24_576 }, 0],
    ['gemini-2.5-pro', 'xhigh', { thinkingBudget: 24_576 }, 1],
    ['gemini-3.5-flash', 'minimal', { thinkingLevel: 'MINIMAL' }, 0],
    ['gemini-3.5-flash', 'none', { thinkingLevel: 'MINIMAL' }, 1],
    ['gemini-3-pro-preview', 'medium', { thinkingLevel: 'HIGH' }, 1],
    ['gemini-3.1-pro-preview', 'medium', { thinkingLevel: 'MEDIUM' }, 0],
  ])('lets %s think with effort %s', (model, effort, thinkingConfig, warnings) => {
    expect(configOf({ reasoning_effort: effort }, model)).toEqual({ thinkingConfig });
    expect(warningsOf({ reasoning_effort: effort }, model)).toHaveLength(warnings);
  });

  it.each([
    ['reasoning_effort', 'none', 'gemini-2.5-pro'],
    ['reasoning_effort', 'low', 'gemini-2.0-flash'],
    ['logit_bias', { 5: 1 }, undefined],
    ['parallel_tool_calls', false, undefined],
    ['service_tier', 'flex', undefined],
    ['verbosity', 'low', undefined],
    ['audio', { voice: 'alloy' }, undefined],
    ['modalities', ['text', 'audio'], undefined],
    ['web_search_options', {}, undefined],
    ['functions', [{ name: 'f' }], undefined],
    ['stop', ['1', '2', '3', '4', '5', '6'], undefined],
    ['n', 9, undefined],
    ['cachedContent', 'projects/x', undefined],
    ['labels', { weir_key: 'x' }, undefined],
    ['guided_json', {}, undefined],
  ])('refuses %s = %j by name', (param, value, model) => {
    expect(convert({ [param]: value }, model)).toMatchObject({ ok: false, failure: { kind: 'unsupported', param } });
  });

  it('leaves out what does not change the answer, and says so', () => {
    const body = { user: 'u', metadata: { a: 'b' }, store: true, stream: true, service_tier: 'auto', logit_bias: {} };
    expect(native(body)).toEqual(native({}));
    const warnings = warningsOf(body).join('; ');
    for (const name of ['user', 'metadata', 'store', 'stream']) expect(warnings).toContain(`${name} was left out`);
  });

  it.each([
    [{ messages: [] }, 'messages'],
    [{ messages: 'x' }, 'messages'],
    [{ messages: [{ role: 'user', content: '' }] }, 'messages[0].content'],
    [{ messages: [{ role: 'tool', tool_call_id: 'zz', content: 'x' }] }, 'messages[0].tool_call_id'],
    [{ temperature: 'hot' }, 'temperature'],
    [{ max_tokens: 0 }, 'max_tokens'],
  ])('refuses %j as wrong', (body, param) => {
    expect(convert(body)).toMatchObject({ ok: false, failure: { kind: 'invalid_request', param } });
  });

  it('refuses what would choose another place or key', () => {
    expect(convert({ base_url: 'http://evil' })).toMatchObject({ failure: { code: 'forbidden_parameter' } });
  });

  it('refuses models of no known family by name, and embeddings asked as chat', () => {
    for (const model of ['gemini-2.5-flash-image', 'llama-4', 'gemini-2.5-flash-preview-tts', 'claude-99-max']) {
      expect(convert({}, model)).toMatchObject({ failure: { code: 'model_not_supported', param: 'model' } });
    }
    expect(convert({}, 'text-embedding-005')).toMatchObject({ failure: { code: 'endpoint_not_supported' } });
  });

  it('applies the safety settings of the config', () => {
    expect(native({}, undefined, provider).safetySettings).toEqual([
      { category: 'HARM_CATEGORY_HARASSMENT', threshold: 'OFF' },
    ]);
  });

  it('refuses arguments of a tool call that are nested beyond reason, and formats named like members of objects', () => {
    const args = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: args } };
    const messages = [...ask, { role: 'assistant', tool_calls: [call] }];
    for (const model of ['gemini-2.5-flash', 'claude-haiku-4-5']) {
      expect(convert({ messages }, model)).toMatchObject({ ok: false, failure: { kind: 'invalid_request' } });
    }
    const audio = [{ type: 'input_audio', input_audio: { data: 'aGk=', format: 'constructor' } }];
    expect(convert({ messages: [{ role: 'user', content: audio }] })).toMatchObject({ ok: false });
    const stored = [{ type: 'image_url', image_url: { url: 'gs://media/x.constructor' } }];
    expect(convert({ messages: [{ role: 'user', content: stored }] }, undefined, provider)).toMatchObject({
      ok: false,
    });
  });

  it('never throws, whatever a body holds', () => {
    const odd: unknown[] = [
      null,
      7,
      'x',
      [],
      {},
      [null],
      [[]],
      { type: 'x' },
      true,
      [{ role: 'user', content: [null] }],
    ];
    const names = [
      'messages',
      'tools',
      'tool_choice',
      'response_format',
      'stop',
      'n',
      'logprobs',
      'reasoning_effort',
      'input',
    ];
    for (const name of names) {
      for (const value of odd) {
        for (const model of ['gemini-2.5-flash', 'gemini-2.0-flash', 'claude-haiku-4-5', 'text-embedding-005']) {
          expect(() => convert({ [name]: value }, model)).not.toThrow();
        }
      }
    }
  });
});

describe('other requests', () => {
  it('writes Claude requests as Messages with the version of this service and without a model', () => {
    const body = native(
      { messages: [{ role: 'system', content: 'S' }, ...ask], max_tokens: 9 },
      'claude-haiku-4-5@20251001',
    );
    expect(body).toMatchObject({ anthropic_version: 'vertex-2023-10-16', max_tokens: 9, messages: [{ role: 'user' }] });
    expect(body.model).toBeUndefined();
  });

  it('expresses responses through chat and names their own parameters in refusals', () => {
    const body = { input: 'Hi', instructions: 'Be brief.', max_output_tokens: 9 };
    const converted = plain.convert({ customId: 'c', endpoint: '/v1/responses', body }, 'gemini-2.5-flash');
    if (!converted.ok) throw new Error(converted.failure.message);
    expect(JSON.parse(converted.request.body)).toMatchObject({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      generationConfig: { maxOutputTokens: 9 },
    });
    const off = { input: 'Hi', reasoning: { effort: 'none' } };
    expect(plain.convert({ customId: 'c', endpoint: '/v1/responses', body: off }, 'gemini-2.5-pro')).toMatchObject({
      failure: { param: 'reasoning.effort' },
    });
  });

  it('takes lists of texts to embed, and refuses tokens and dimensions a model does not have', () => {
    const embed = (body: Record<string, unknown>) =>
      plain.convert({ customId: 'c', endpoint: '/v1/embeddings', body }, 'text-embedding-005');
    const converted = embed({ input: ['a', 'b'], dimensions: 256, encoding_format: 'base64', task_type: 'CLUSTERING' });
    if (!converted.ok) throw new Error(converted.failure.message);
    expect(JSON.parse(converted.request.body)).toEqual({
      encoding: 'base64',
      dimensions: 256,
      instances: [
        { content: 'a', task_type: 'CLUSTERING' },
        { content: 'b', task_type: 'CLUSTERING' },
      ],
    });
    expect(embed({ input: [1, 2] })).toMatchObject({ failure: { kind: 'unsupported', param: 'input' } });
    expect(embed({ input: 'a', dimensions: 4096 })).toMatchObject({ failure: { param: 'dimensions' } });
    expect(embed({ input: '' })).toMatchObject({ failure: { param: 'input' } });
    expect(embed({ input: 'a', truncate: true })).toMatchObject({ failure: { param: 'truncate' } });
  });
});
