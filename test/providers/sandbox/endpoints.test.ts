import OpenAI, { AzureOpenAI } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../../providers/sandbox/servers/openai-compatible.ts';
import { countTokens } from '../../../providers/sandbox/servers/text.ts';
import { chat, post, withServer } from './calls.ts';

let server: SimulatedServer;
let client: OpenAI;
const messages = [{ role: 'user' as const, content: 'How many apples are left?' }];

beforeAll(async () => {
  server = await startOpenAICompatibleServer({
    models: ['sim-small', 'sim-embed'],
    api_key: 'key-1',
    max_model_len: 2000,
  });
  client = new OpenAI({ baseURL: server.baseUrl, apiKey: 'key-1', maxRetries: 0, timeout: 10_000 });
});
afterAll(() => server.stop());

test('chat answers with text whose tokens are the usage', async () => {
  const { data, response } = await client.chat.completions.create({ model: 'sim-small', messages }).withResponse();
  const content = data.choices[0]?.message.content ?? '';
  expect(content).toMatch(/The answer is \d+\.$/);
  expect(data.choices[0]?.finish_reason).toBe('stop');
  const prompt = Math.ceil('How many apples are left?'.length / 4);
  const completion = countTokens(content);
  expect(data.usage).toEqual({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  });
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
});

test('chat cuts at the limit of tokens and says so', async () => {
  for (const limit of [{ max_tokens: 5 }, { max_completion_tokens: 5 }]) {
    const answer = await client.chat.completions.create({ model: 'sim-small', messages, ...limit });
    expect(answer.choices[0]?.finish_reason).toBe('length');
    expect(answer.usage?.completion_tokens).toBe(5);
    expect(answer.choices[0]?.message.content).toHaveLength(20);
  }
});

test('chat gives n different choices and JSON when a JSON format is asked for', async () => {
  const answer = await client.chat.completions.create({
    model: 'sim-small',
    messages,
    n: 3,
    response_format: { type: 'json_object' },
  });
  const texts = answer.choices.map((choice) => choice.message.content ?? '');
  expect(new Set(texts).size).toBe(3);
  for (const text of texts) expect(JSON.parse(text)).toEqual({ answer: expect.any(String) });
  expect(answer.usage?.completion_tokens).toBe(texts.reduce((sum, text) => sum + countTokens(text), 0));
});

test('a chat stream brings the same text, and its usage when asked', async () => {
  const whole = await client.chat.completions.create({ model: 'sim-small', messages, stream: false });
  const stream = await client.chat.completions.create({
    model: 'sim-small',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  const finishes: string[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    usage = chunk.usage ?? usage;
  }
  expect(text).toMatch(/The answer is \d+\.$/);
  expect(finishes).toEqual(['stop']);
  expect(usage?.completion_tokens).toBe(countTokens(text));
  expect(usage?.prompt_tokens).toBe(whole.usage?.prompt_tokens);
});

test('a chat stream tells no usage unless asked, and ends with [DONE]', async () => {
  const headers = { authorization: 'Bearer key-1' };
  const response = await post(server, '/v1/chat/completions', chat('Hello', { stream: true }), { headers });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const text = await response.text();
  expect(text).not.toContain('"usage"');
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('completions answer each prompt, whole and as a stream', async () => {
  const answer = await client.completions.create({ model: 'sim-small', prompt: ['One', 'Two'], max_tokens: 8 });
  expect(answer.choices.map((choice) => choice.index)).toEqual([0, 1]);
  expect(answer.usage?.completion_tokens).toBe(16);
  const stream = await client.completions.create({
    model: 'sim-small',
    prompt: [1, 2, 3],
    max_tokens: 8,
    stream: true,
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
  expect(text).toHaveLength(32);
});

test('embeddings are unit vectors, the same as floats and as base64', async () => {
  const ask = (format: 'float' | 'base64') =>
    client.embeddings.create({ model: 'sim-embed', input: ['a', 'b', 'a'], dimensions: 64, encoding_format: format });
  const floats = await ask('float');
  expect(floats.data.map((item) => item.index)).toEqual([0, 1, 2]);
  const [first, second, third] = floats.data.map((item) => item.embedding);
  expect(first).toHaveLength(64);
  expect(Math.hypot(...(first ?? []))).toBeCloseTo(1, 5);
  expect(third).toEqual(first);
  expect(second).not.toEqual(first);
  expect(floats.usage).toEqual({ prompt_tokens: 1, total_tokens: 1 });
  const encoded = (await ask('base64')).data[0]?.embedding as unknown as string;
  const bytes = Buffer.from(encoded, 'base64');
  expect(bytes.readFloatLE(4)).toBe(first?.[1]);
  // The SDK asks for base64 by itself and decodes it.
  const plain = await client.embeddings.create({ model: 'sim-embed', input: 'a' });
  expect(plain.data[0]?.embedding).toHaveLength(256);
});

test('responses answer with one message and their own usage names', async () => {
  const answer = await client.responses.create({ model: 'sim-small', input: 'How many?', metadata: { line: '7' } });
  expect(answer.status).toBe('completed');
  expect(answer.output_text).toMatch(/The answer is \d+\.$/);
  expect(answer.metadata).toEqual({ line: '7' });
  const output = countTokens(answer.output_text);
  expect(answer.usage).toMatchObject({ input_tokens: 3, output_tokens: output, total_tokens: 3 + output });
  const cut = await client.responses.create({ model: 'sim-small', input: 'How many?', max_output_tokens: 4 });
  expect(cut.status).toBe('incomplete');
  expect(cut.incomplete_details).toEqual({ reason: 'max_output_tokens' });
});

test('a responses stream builds up to the completed response', async () => {
  const stream = await client.responses.create({ model: 'sim-small', input: 'How many?', stream: true });
  const types: string[] = [];
  const numbers: number[] = [];
  let text = '';
  let final: OpenAI.Responses.Response | undefined;
  for await (const event of stream) {
    types.push(event.type);
    numbers.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'response.completed') final = event.response;
  }
  expect(types.slice(0, 4)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
  ]);
  expect(types.at(-1)).toBe('response.completed');
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(final?.output[0]).toMatchObject({ type: 'message', content: [{ type: 'output_text', text }] });
  expect(final?.usage?.output_tokens).toBe(countTokens(text));
});

test('moderations flag words of violence only', async () => {
  const answer = await client.moderations.create({ input: ['good morning', 'I will kill the process'] });
  expect(answer.results.map((result) => result.flagged)).toEqual([false, true]);
  expect(answer.results[1]?.categories.violence).toBe(true);
});

test('models are listed and retrieved with their context length', async () => {
  const list = await client.models.list();
  expect(list.data.map((model) => model.id)).toEqual(['sim-small', 'sim-embed']);
  expect(await client.models.retrieve('sim-embed')).toMatchObject({ object: 'model', max_model_len: 2000 });
  await expect(client.models.retrieve('other')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});

test("Azure's paths take the deployment as the model and the api-key header", async () => {
  const azure = new AzureOpenAI({
    endpoint: server.url,
    apiKey: 'key-1',
    apiVersion: '2024-10-21',
    deployment: 'my-mini',
    maxRetries: 0,
  });
  const dated = await azure.chat.completions.create({ model: 'ignored', messages });
  expect(dated.model).toBe('my-mini');
  const current = await post(server, '/openai/v1/chat/completions', chat('Hi'), { headers: { 'api-key': 'key-1' } });
  expect(current.status).toBe(200);
  const unversioned = await post(server, '/openai/deployments/my-mini/chat/completions', chat('Hi'));
  expect(unversioned.status).toBe(404);
  const wrong = await post(server, '/openai/v1/chat/completions', chat('Hi'), { headers: { 'api-key': 'wrong' } });
  expect(wrong.status).toBe(401);
  expect(await wrong.json()).toMatchObject({ error: { code: '401' } });
});

test('a wrong key gets 401 everywhere', async () => {
  const stranger = new OpenAI({ baseURL: server.baseUrl, apiKey: 'other', maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  await expect(stranger.embeddings.create({ model: 'sim-embed', input: 'a' })).rejects.toMatchObject({ status: 401 });
});

test('a prompt over the context length gets 400 with the words that clients look for', async () => {
  const long = [{ role: 'user' as const, content: 'word '.repeat(2000) }];
  const failure = client.chat.completions.create({ model: 'sim-small', messages: long });
  await expect(failure).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
  await expect(failure).rejects.toThrow(/maximum context length is 2000 tokens/);
});

test('bad requests get 400 that names the field, wrong methods 405, unknown paths 404', async () => {
  await withServer({}, async (open) => {
    const cases: [path: string, body: unknown, param: string | null][] = [
      ['/v1/chat/completions', '{"messages": [', null],
      ['/v1/chat/completions', '[]', null],
      ['/v1/chat/completions', { model: 'm' }, 'messages'],
      ['/v1/chat/completions', { messages: [] }, 'messages'],
      ['/v1/chat/completions', { messages: 'hello' }, 'messages'],
      ['/v1/chat/completions', { messages: [{ content: 'x' }] }, 'messages[0].role'],
      ['/v1/chat/completions', chat('x', { max_tokens: 0 }), 'max_tokens'],
      ['/v1/chat/completions', chat('x', { n: 1000 }), 'n'],
      ['/v1/completions', {}, 'prompt'],
      ['/v1/embeddings', { input: '' }, 'input'],
      ['/v1/embeddings', { input: 'a', dimensions: 'many' }, 'dimensions'],
      ['/v1/responses', {}, 'input'],
      ['/v1/moderations', {}, 'input'],
    ];
    for (const [path, body, param] of cases) {
      const response = await post(open, path, body);
      expect([path, response.status]).toEqual([path, 400]);
      expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param } });
    }
    const wrongMethod = await fetch(`${open.baseUrl}/chat/completions`);
    expect(wrongMethod.status).toBe(405);
    const unknown = await post(open, '/v1/nothing', {});
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { message: 'Invalid URL (POST /v1/nothing)' } });
    expect(open.counters.by_status).toEqual(new Map([[400, cases.length]]));
    expect(open.counters.other_requests).toBe(2);
  });
});

test('strict_models refuses models and deployments that are not served', async () => {
  await withServer({ strict_models: true, models: ['only'] }, async (strict) => {
    const openai = await post(strict, '/v1/chat/completions', chat('x', { model: 'other' }));
    expect(openai.status).toBe(404);
    expect(await openai.json()).toMatchObject({ error: { code: 'model_not_found' } });
    const azure = await post(strict, '/openai/deployments/other/chat/completions?api-version=1', chat('x'));
    expect(await azure.json()).toMatchObject({ error: { code: 'DeploymentNotFound' } });
    const missing = await post(strict, '/v1/embeddings', { input: 'a' });
    expect(await missing.json()).toMatchObject({ error: { param: 'model' } });
    expect((await post(strict, '/v1/chat/completions', chat('x', { model: 'only' }))).status).toBe(200);
  });
});
