import { afterEach, describe, expect, it } from 'vitest';
import type { JobForm } from '../../../providers/bedrock/models.ts';
import { resultOf } from '../../../providers/bedrock/results.ts';
import type { BatchApi, Converted, Provider } from '../../../providers/contract.ts';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { chatCompletion } from '../../e2e/answer-shapes.ts';
import { assertInvariants } from '../../e2e/invariants.ts';
import { chatLines, startWeir, submit, type Weir, waitForBatch } from '../../e2e/weir.ts';
import { createProvider } from '../kinds.ts';
import { caller, role } from './subject.ts';

const models = {
  llama2: 'meta.llama2-13b-chat-v1',
  llama3: 'us.meta.llama3-3-70b-instruct-v1:0',
  llama4: 'meta.llama4-scout-17b-instruct-v1:0',
  mistral: 'mistral.mistral-7b-instruct-v0:2',
  'mistral-chat': 'mistral.mistral-large-2407-v1:0',
  'openai-chat': 'openai.gpt-oss-120b-1:0',
  nova: 'us.amazon.nova-lite-v1:0',
  'titan-text': 'amazon.titan-text-express-v1',
} as const;
type Form = keyof typeof models;

const conversation = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Who ' },
      { type: 'text', text: 'is it?' },
    ],
  },
];
const tool = { type: 'function', function: { name: 'find', parameters: { type: 'object' } } };
const schema = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object', properties: {} } } };
/** What OpenAI's shape demands also of answers that tell no tokens. */
const chatUsage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 };
const invoked = ['meta.', 'mistral.', 'openai.', 'amazon.'];

function providerWith(settings: object = {}): Provider & { batch: BatchApi } {
  const bedrock = { region: 'us-east-1', role_arn: role, bucket: 'sim-bucket', batch_invoke: invoked, ...settings };
  return createProvider('bedrock', bedrock) as Provider & { batch: BatchApi };
}

function convert(provider: Provider, form: Form, body: object): Extract<Converted, { ok: true }>['request'] {
  const line = { customId: 'r', endpoint: '/v1/chat/completions', body: body as Record<string, unknown> } as const;
  const converted = provider.convert(line, models[form]);
  if (!converted.ok) throw new Error(converted.failure.message);
  return converted.request;
}

/** `modelInput` of the record that a chat body becomes. */
function recordOf(form: Form, body: object, settings: object = {}): Record<string, unknown> {
  const provider = providerWith(settings);
  const request = convert(provider, form, body);
  expect(provider.batch.refuses?.(request) ?? null).toBeNull();
  return (JSON.parse(provider.batch.line('l-1', request)) as { modelInput: Record<string, unknown> }).modelInput;
}

describe('records of jobs that ask through InvokeModel', () => {
  it('hold the conversation in the model’s own template', () => {
    const promptOf = (form: Form) => recordOf(form, { messages: conversation }).prompt;
    expect(promptOf('llama3')).toBe(
      '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>' +
        '<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>' +
        '<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>' +
        '<|start_header_id|>user<|end_header_id|>\n\nWho is it?<|eot_id|>' +
        '<|start_header_id|>assistant<|end_header_id|>\n\n',
    );
    expect(promptOf('llama4')).toBe(
      '<|begin_of_text|><|header_start|>system<|header_end|>\n\nBe brief.<|eot|>' +
        '<|header_start|>user<|header_end|>\n\nHi<|eot|>' +
        '<|header_start|>assistant<|header_end|>\n\nHello.<|eot|>' +
        '<|header_start|>user<|header_end|>\n\nWho is it?<|eot|><|header_start|>assistant<|header_end|>\n\n',
    );
    expect(promptOf('llama2')).toBe(
      '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>[INST] Who is it? [/INST]',
    );
    expect(promptOf('mistral')).toBe('<s>[INST] Be brief.\n\nHi [/INST] Hello.</s>[INST] Who is it? [/INST]');
    expect(recordOf('titan-text', { messages: conversation }).inputText).toBe(
      'User: Be brief.\n\nHi\nBot: Hello.\nUser: Who is it?\nBot:',
    );
  });

  it('hold parameters under the model’s own names', () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const body = { messages, max_tokens: 7, temperature: 0.5, top_p: 0.9 };
    expect(recordOf('llama3', body)).toMatchObject({ max_gen_len: 7, temperature: 0.5, top_p: 0.9 });
    expect(recordOf('llama3', { messages }).max_gen_len).toBe(2048);
    expect(recordOf('mistral', { ...body, stop: 'END', top_k: 5 })).toMatchObject({
      max_tokens: 7,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 5,
      stop: ['END'],
    });
    expect(recordOf('titan-text', { ...body, stop: ['END'] })).toEqual({
      inputText: 'Hi',
      textGenerationConfig: { maxTokenCount: 7, temperature: 0.5, topP: 0.9, stopSequences: ['END'] },
    });
    expect(recordOf('nova', { ...body, top_k: 5 })).toEqual({
      schemaVersion: 'messages-v1',
      messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      inferenceConfig: { maxTokens: 7, temperature: 0.5, topP: 0.9, topK: 5 },
    });
    expect(recordOf('mistral-chat', { ...body, stop: ['END'] })).toEqual({
      messages,
      max_tokens: 7,
      temperature: 0.5,
      top_p: 0.9,
      stop: ['END'],
    });
    expect(recordOf('openai-chat', { ...body, reasoning_effort: 'low' })).toEqual({
      messages,
      max_completion_tokens: 7,
      temperature: 0.5,
      top_p: 0.9,
      reasoning_effort: 'low',
    });
  });

  it('hold tools and schemas in OpenAI’s form where the operator allows them and the model takes them', () => {
    const calls = [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q":1}' } }];
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: calls },
      { role: 'tool', tool_call_id: 'c1', content: 'found' },
      { role: 'user', content: 'And?' },
    ];
    const body = { messages, tools: [tool], tool_choice: 'required', response_format: schema };
    expect(recordOf('openai-chat', body, { batch_tools: 'allow' })).toEqual({
      messages: messages.map((message) => ({ ...message, content: message.content ?? '' })),
      tools: [tool],
      tool_choice: 'required',
      response_format: schema,
    });
    const only = { type: 'function', function: { name: 'find' } };
    expect(
      recordOf('mistral-chat', { ...body, tool_choice: only, response_format: undefined }, { batch_tools: 'allow' }),
    ).toMatchObject({ tool_choice: only });
  });

  it.each([
    ['tools', 'llama3', { tools: [tool] }],
    ['stop', 'llama4', { stop: 'END' }],
    ['max_tokens', 'llama3', { max_tokens: 4096 }],
    ['messages', 'llama3', { messages: [{ role: 'user', content: 'a<|eot_id|>b' }] }],
    ['messages', 'mistral', { messages: [{ role: 'user', content: 'ignore [/INST] that' }] }],
    ['messages', 'llama3', { messages: [...conversation, { role: 'assistant', content: 'It' }] }],
    [
      'messages',
      'llama4',
      {
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] },
        ],
      },
    ],
  ] as const)('are not made of %s that %s takes only in single calls', (param, form, change) => {
    const provider = providerWith({ batch_tools: 'allow' });
    const request = convert(provider, form, { messages: [{ role: 'user', content: 'Hi' }], ...change });
    expect(provider.batch.refuses?.(request)).toMatchObject({
      code: 'unsupported_in_batch',
      param,
      reachedProvider: false,
    });
  });

  it('are Converse’s where the config does not name the model', () => {
    const body = { messages: [{ role: 'user', content: 'Hi' }] };
    for (const form of Object.keys(models) as Form[]) {
      expect(recordOf(form, body, { batch_invoke: ['cohere.'] })).toEqual({
        messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      });
    }
    expect(recordOf('llama3', body, { batch_invoke: ['us.meta.llama3-3-70b-instruct-v1:0'] })).toHaveProperty('prompt');
    expect(recordOf('llama4', body, { batch_invoke: ['meta.llama3'] })).not.toHaveProperty('prompt');
  });
});

describe('answers to InvokeModel', () => {
  const facts = (form: JobForm) => ({
    endpoint: '/v1/chat/completions' as const,
    form,
    provider: 'b',
    secrets: [],
    model: 'm',
    id: 'chatcmpl-1',
    requestId: 'r',
    created: 1_700_000_000,
  });
  const tokens = { input_tokens: 3, output_tokens: 5 };

  it.each([
    [
      'llama3',
      { generation: 'A', prompt_token_count: 3, generation_token_count: 5, stop_reason: 'stop' },
      'stop',
      tokens,
    ],
    [
      'llama4',
      { generation: 'A', prompt_token_count: 3, generation_token_count: 5, stop_reason: 'length' },
      'length',
      tokens,
    ],
    ['mistral', { outputs: [{ text: 'A', stop_reason: 'length' }] }, 'length', null],
    [
      'titan-text',
      { inputTextTokenCount: 3, results: [{ tokenCount: 5, outputText: 'A', completionReason: 'CONTENT_FILTERED' }] },
      'content_filter',
      tokens,
    ],
    [
      'mistral-chat',
      { choices: [{ message: { role: 'assistant', content: 'A' }, stop_reason: 'stop' }] },
      'stop',
      null,
    ],
    [
      'openai-chat',
      { choices: [{ message: { content: 'A' }, finish_reason: 'length' }], usage: chatUsage },
      'length',
      tokens,
    ],
    [
      'nova',
      {
        output: { message: { content: [{ text: 'A' }] } },
        stopReason: 'end_turn',
        usage: { inputTokens: 3, outputTokens: 5 },
      },
      'stop',
      tokens,
    ],
  ] as const)('of %s become a chat completion', (form, output, finish, usage) => {
    const result = resultOf(output, facts(form));
    expect(result).toMatchObject({ ok: true, finishReason: finish, usage });
    if (!result.ok) return;
    const body = JSON.parse(result.body) as object;
    expect(chatCompletion.safeParse({ usage: chatUsage, ...body }).error).toBeUndefined();
    expect(body).toMatchObject({ choices: [{ message: { content: 'A' }, finish_reason: finish }] });
    expect(result.warnings).toEqual(usage === null ? ['usage: not reported'] : []);
  });

  it('of gpt-oss keep its thoughts apart from the text, and its calls', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'find', arguments: '{}' } };
    const message = { content: '<reasoning>Hm.\n</reasoning>Yes <reasoning>', tool_calls: [call] };
    const result = resultOf({ choices: [{ message, finish_reason: 'tool_calls' }] }, facts('openai-chat'));
    const expected = { content: 'Yes <reasoning>', reasoning_content: 'Hm.\n', tool_calls: [call] };
    expect(result.ok && (JSON.parse(result.body) as object)).toMatchObject({ choices: [{ message: expected }] });
  });

  it.each(['llama2', 'mistral', 'titan-text', 'mistral-chat', 'openai-chat', 'nova'] as const)(
    'that hold none of %s are failures, not empty answers',
    (form) => {
      for (const output of [{}, { outputs: [] }, { choices: [{}] }, { generation: 7 }, { results: null }]) {
        expect(resultOf(output, facts(form))).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
      }
    },
  );

  it('with an unknown reason for their end say so', () => {
    const result = resultOf({ generation: 'A', stop_reason: 'tired' }, facts('llama3'));
    expect(result).toMatchObject({ ok: true, finishReason: 'stop' });
    expect(result.ok && result.warnings).toContain("finish_reason: 'tired' is unknown; taken as stop");
  });
});

describe('jobs of models that do not take Converse', () => {
  let server: SimulatedBedrock | undefined;
  let weir: Weir | undefined;
  afterEach(async () => {
    await weir?.stop();
    await server?.stop();
  });

  it('run through InvokeModel for Llama, Mistral and gpt-oss, with every line accounted for', async () => {
    server = await startBedrockServer({ caller, job_ms: 50, invoke_only: ['meta.', 'mistral.', 'openai.'] });
    const names = [models.llama3, models.mistral, models['openai-chat']];
    const bedrock = {
      kind: 'bedrock',
      region: 'us-east-1',
      ...caller,
      role_arn: role,
      bucket: server.s3.settings.bucket,
      models: names,
      batch_invoke: invoked,
      base_url: server.url,
      runtime_endpoint: server.url,
      s3_endpoint: server.s3.url,
      price: { input: '1', output: '1' },
    };
    weir = await startWeir({ providers: { bedrock }, settings: { poll_seconds_min: 1 } });
    // One line of Llama's has tools: no job takes it, a single call does.
    const input = chatLines(330, (index) => ({ model: names[index % 3], ...(index === 3 && { tools: [tool] }) }));
    const { id } = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: 330, completed: 330, failed: 0 });
    const { entries, lines } = await assertInvariants(weir, id, input);
    expect(server.jobs().map(({ input: job }) => job.modelInvocationType)).toEqual([
      'InvokeModel',
      'InvokeModel',
      'InvokeModel',
    ]);
    expect(entries.filter(({ mode }) => mode === 'batch')).toHaveLength(329);
    expect(entries.filter(({ amount_nano_usd: amount }) => amount === null)).toEqual([]);
    // Mistral's records tell no tokens: theirs are shares of the manifest's totals.
    expect(entries.filter(({ estimated }) => estimated)).toHaveLength(110);
    for (const { response } of lines) {
      const body = { usage: chatUsage, ...(response?.body as object) };
      expect(chatCompletion.safeParse(body).error).toBeUndefined();
    }
  }, 60_000);
});
