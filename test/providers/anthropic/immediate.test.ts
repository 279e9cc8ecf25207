import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Call, Provider, Result } from '../../../providers/contract.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { problemsOf } from '../kinds.ts';
import { closedUrl, httpAnswer, startScriptedServer } from '../scripted-server.ts';
import { type AnthropicBench, model, providerAt, secret, startAnthropic } from './bench.ts';

const bodies: Partial<Record<Endpoint, Record<string, unknown>>> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'What is 2 + 2?' }], max_tokens: 200 },
  '/v1/responses': { input: 'What is 2 + 2?', max_output_tokens: 200 },
  '/v1/completions': { prompt: '2 + 2 =', max_tokens: 200 },
};

describe('Messages, one by one', () => {
  let http: HttpClient;
  const cleanups: (() => Promise<void>)[] = [];
  beforeAll(() => {
    http = createNodeHttpClient();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });
  afterAll(() => http.close());

  async function start(...parameters: Parameters<typeof startAnthropic>): Promise<AnthropicBench> {
    const bench = await startAnthropic(...parameters);
    cleanups.push(() => bench.server.stop());
    return bench;
  }

  async function script(answer: Parameters<typeof startScriptedServer>[0]) {
    const server = await startScriptedServer(answer);
    cleanups.push(() => server.close());
    return server;
  }

  function callOf(provider: Provider, changes: Partial<Call> = {}): Call {
    const member = provider.immediate?.members[0] ?? '';
    return { http, member, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 1_790_000_000_000, ...changes };
  }

  async function execute(
    provider: Provider,
    body: object = {},
    endpoint: Endpoint = '/v1/chat/completions',
    changes: Partial<Call> = {},
  ): Promise<Result> {
    const line = { customId: 'r', endpoint, body: { ...bodies[endpoint], ...body } };
    const converted = provider.convert(line, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    if (provider.immediate === undefined) throw new Error('no immediate mode');
    return provider.immediate.execute(converted.request, callOf(provider, changes));
  }

  async function failed(result: Promise<Result>) {
    const outcome = await result;
    if (outcome.ok) throw new Error(`succeeded: ${outcome.body}`);
    expect(JSON.stringify(outcome)).not.toContain(secret);
    return outcome;
  }

  it.each(['/v1/chat/completions', '/v1/responses', '/v1/completions'] as const)('serve %s', async (endpoint) => {
    const { provider } = await start();
    expect(provider.endpoints).toContain(endpoint);
    const result = await execute(provider, {}, endpoint);
    if (!result.ok) throw new Error(result.failure.message);
    const object = {
      '/v1/chat/completions': 'chat.completion',
      '/v1/responses': 'response',
      '/v1/completions': 'text_completion',
    };
    expect(JSON.parse(result.body)).toMatchObject({
      object: object[endpoint],
      model,
      usage: { total_tokens: expect.any(Number) },
    });
    expect(result).toMatchObject({
      status: 200,
      servedModel: model,
      requestId: expect.stringMatching(/^req_/),
      warnings: [],
    });
    expect(result.usage?.input_tokens).toBeGreaterThan(0);
  });

  it('refuse endpoints, models and settings that they cannot serve, without a call', async () => {
    const { provider, server } = await start();
    for (const endpoint of ['/v1/embeddings', '/v1/moderations'] as const) {
      const converted = provider.convert({ customId: 'r', endpoint, body: { input: 'x' } }, model);
      expect(converted).toMatchObject({ ok: false, failure: { kind: 'unsupported', param: 'url' } });
    }
    const line = { customId: 'r', endpoint: '/v1/chat/completions', body: { messages: [] } } as const;
    expect(provider.convert(line, 'claude-next')).toMatchObject({ ok: false, failure: { param: 'model' } });
    expect(provider.convert({ ...line, body: { base_url: 'x' } }, model)).toMatchObject({
      failure: { code: 'forbidden_parameter', param: 'base_url' },
    });
    const format = { ...bodies['/v1/responses'], text: { format: { type: 'json_object' } } };
    expect(provider.convert({ ...line, endpoint: '/v1/responses', body: format }, model)).toMatchObject({
      failure: { param: 'text.format' },
    });
    expect(server.calls.size).toBe(0);
  });

  it('take models that the config places in a family', async () => {
    const { provider } = await start({}, { families: { 'claude-next': 'claude-opus-5' }, default_max_tokens: 77 });
    const body = { messages: [{ role: 'user', content: 'x' }] };
    const converted = provider.convert({ customId: 'r', endpoint: '/v1/chat/completions', body }, 'claude-next');
    if (!converted.ok) throw new Error(converted.failure.message);
    expect(JSON.parse(converted.request.body)).toMatchObject({ model: 'claude-next', max_tokens: 77 });
  });

  it('go with the key, the pinned version and what else is set', async () => {
    const server = await script(({ socket }) => socket.write(httpAnswer(500, '{}')));
    const provider = providerAt(`${server.url}/v1/`, { betas: ['beta-1', 'beta-2'], workspace_id: 'wrkspc_1' });
    await execute(provider);
    expect(server.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/messages',
        headers: {
          'x-api-key': secret,
          'anthropic-version': '2023-06-01',
          'anthropic-beta': 'beta-1,beta-2',
          'anthropic-workspace-id': 'wrkspc_1',
        },
      },
    ]);
    expect(server.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  it('think, call tools and follow schemas as asked', async () => {
    const { provider } = await start();
    const reasoned = await execute(provider, { reasoning_effort: 'low', max_tokens: 5000 });
    expect(reasoned).toMatchObject({ ok: true, warnings: [], usage: { reasoning_tokens: expect.any(Number) } });
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const called = await execute(provider, { tools, tool_choice: 'required' });
    expect(called).toMatchObject({ ok: true, finishReason: 'tool_calls' });
    const schema = { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } };
    const formatted = await execute(provider, { response_format: schema });
    if (!formatted.ok) throw new Error(formatted.failure.message);
    const { choices } = JSON.parse(formatted.body) as { choices: [{ message: { content: string } }] };
    expect(JSON.parse(choices[0].message.content)).toBeTypeOf('object');
  });

  it('tell caches, missing usage and why they ended', async () => {
    const { provider, server } = await start({ usage: 'cached' });
    expect((await execute(provider)).usage).toMatchObject({
      cached_input_tokens: 100,
      cache_write_tokens: 20,
      cache_write_1h_tokens: 10,
    });
    server.configure({ usage: 'absent', stop_reason: 'refusal' });
    expect(await execute(provider)).toMatchObject({
      usage: null,
      finishReason: 'content_filter',
      warnings: ['usage: not reported'],
    });
  });

  it.each([
    [400, 'invalid_request'],
    [401, 'authentication'],
    [402, 'quota_exhausted'],
    [403, 'permission'],
    [404, 'not_found'],
    [413, 'invalid_request'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [504, 'timeout'],
    [529, 'overloaded'],
  ] as const)('take status %i for %s', async (status, kind) => {
    const { provider } = await start({ fail_with: status, retry_after: '3' });
    const { failure, body } = await failed(execute(provider));
    expect(failure).toMatchObject({ kind, status, reachedProvider: true, retryAfterMs: 3000 });
    const { message, type, param, code } = failure;
    expect(JSON.parse(body ?? '')).toEqual({ error: { message, type, param, code } });
  });

  it('do not take a credit balance that is too low for a bad request', async () => {
    const fail_message = 'Your credit balance is too low to access the Anthropic API.';
    const { provider } = await start({ fail_with: 400, fail_message });
    expect((await failed(execute(provider))).failure.kind).toBe('quota_exhausted');
  });

  it.each(['html', 'truncated', 'empty', 'error_object'] as const)(
    'do not take a 200 with %s for an answer',
    async (fault) => {
      const { provider } = await start({ fail_with: fault });
      expect((await failed(execute(provider))).failure).toMatchObject({ kind: 'bad_response', status: 200 });
    },
  );

  it('follow no redirect, and keep the key to themselves', async () => {
    const elsewhere = await script(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const { provider } = await start({ fail_with: 307, location: `${elsewhere.url}/v1/messages` });
    expect((await failed(execute(provider))).failure).toMatchObject({ code: 'redirect_refused', status: 307 });
    expect(elsewhere.requests).toHaveLength(0);
    const echo = await start({ fail_with: 'echo' });
    await failed(execute(echo.provider));
    const printed = inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider) + String(provider);
    expect(printed).not.toContain(secret);
  });

  it('say whether a lost call may have been billed', async () => {
    const { provider, server } = await start({ fail_with: 'reset' });
    expect((await failed(execute(provider))).failure).toMatchObject({ kind: 'connection', reachedProvider: true });
    server.configure({ fail_with: 'hang' });
    const slow = await failed(execute(provider, {}, '/v1/chat/completions', { timeoutMs: 200 }));
    expect(slow.failure).toMatchObject({ kind: 'timeout', reachedProvider: true });
    const gone = await failed(execute(providerAt(await closedUrl())));
    expect(gone.failure).toMatchObject({ kind: 'connection', reachedProvider: false });
  });

  it('list every page of the models', async () => {
    const names = Array.from({ length: 1500 }, (_, index) => `claude-${index}`);
    const { provider, server } = await start({ models: names });
    expect(await provider.listModels?.(callOf(provider))).toEqual(names);
    server.configure({ api_key: 'another' });
    await expect(provider.listModels?.(callOf(provider))).rejects.toMatchObject({
      failure: { kind: 'authentication' },
    });
    const { url } = await script(({ socket }) => socket.write(httpAnswer(200, '{"data":"none"}')));
    const strange = providerAt(url);
    await expect(strange.listModels?.(callOf(strange))).rejects.toMatchObject({ failure: { kind: 'bad_response' } });
  });

  it('need a key, and https outside the own network', () => {
    expect(problemsOf('anthropic', {})).toEqual([expect.stringContaining('api_key')]);
    const open = { api_key: secret, base_url: 'http://proxy.example.com' };
    expect(problemsOf('anthropic', open)).toEqual(['base_url: must be https, or say allow_http: true']);
    expect(problemsOf('anthropic', { api_key: secret, families: { x: 'gpt' } })).toEqual([
      expect.stringContaining('families.x'),
    ]);
    expect(providerAt('https://api.anthropic.com')).toMatchObject({ priceProvider: 'anthropic', models: null });
  });
});
