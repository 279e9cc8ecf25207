import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call, Provider, Result } from '../../../providers/contract.ts';
import {
  type LiveBedrockOptions,
  type SimulatedBedrock,
  startBedrockServer,
} from '../../../providers/sandbox/servers/bedrock.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { createProvider, problemsOf } from '../kinds.ts';
import { closedUrl, httpAnswer, type ScriptedServer, startScriptedServer } from '../scripted-server.ts';
import { caller, providerAt, role } from './subject.ts';

const nova = 'us.amazon.nova-lite-v1:0';
const claude = 'us.anthropic.claude-haiku-4-5-20251001-v1:0';
const chat = { messages: [{ role: 'user', content: 'What is 2 + 2?' }] };

describe('immediate calls to Bedrock', () => {
  let http: HttpClient;
  let server: SimulatedBedrock;
  let provider: Provider;
  let scripted: ScriptedServer | null = null;

  beforeEach(async () => {
    http = createNodeHttpClient();
    server = await startBedrockServer({ caller });
    provider = providerAt(server);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await provider.close?.();
    await http.close();
    await server.stop();
    await scripted?.close();
    scripted = null;
  });

  async function execute(
    changes: { model?: string; body?: object; provider?: Provider; call?: Partial<Call> } = {},
    endpoint: '/v1/chat/completions' | '/v1/embeddings' = '/v1/chat/completions',
  ): Promise<Result> {
    const { model = nova, body = chat, provider: asked = provider, call = {} } = changes;
    const converted = asked.convert({ customId: 'r', endpoint, body: body as Record<string, unknown> }, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    const member = asked.immediate?.members[0] ?? '';
    const whole = { http, member, timeoutMs: 5000, maxResponseBytes: 10e6, nowMs: Date.now(), ...call };
    return (asked.immediate as NonNullable<Provider['immediate']>).execute(converted.request, whole);
  }

  async function failed(result: Promise<Result>) {
    const outcome = await result;
    if (outcome.ok) throw new Error(outcome.body);
    return outcome;
  }

  it.each([
    nova,
    claude,
    'openai.gpt-oss-20b-1:0',
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0',
  ])('are signed, reach %s and come back in the shape of OpenAI', async (model) => {
    const result = await execute({ model });
    if (!result.ok) throw new Error(result.failure.message);
    expect(JSON.parse(result.body)).toMatchObject({
      object: 'chat.completion',
      model,
      choices: [{ index: 0, message: { role: 'assistant', content: expect.any(String) }, finish_reason: 'stop' }],
    });
    expect(result).toMatchObject({ servedModel: model, requestId: expect.any(String), warnings: [] });
    const { immediate_input_tokens: input, immediate_output_tokens: output } = server.counters;
    expect(result.usage).toEqual({ input_tokens: input, output_tokens: output });
  });

  it('embed with Titan, text by text, and with Cohere, whose tokens are in a header', async () => {
    const input = Array.from({ length: 10 }, (_none, index) => `text ${index}`);
    for (const [model, calls] of [
      ['amazon.titan-embed-text-v2:0', 10],
      ['cohere.embed-v4:0', 1],
    ] as const) {
      const before = { ...server.counters };
      const result = await execute({ model, body: { input } }, '/v1/embeddings');
      expect(server.counters.invoke - before.invoke).toBe(calls);
      const tokens = server.counters.immediate_input_tokens - before.immediate_input_tokens;
      expect(result).toMatchObject({ ok: true, usage: { input_tokens: tokens }, warnings: [] });
      const { data, usage } = JSON.parse(result.body ?? '') as { data: { index: number }[]; usage: object };
      expect(data.map(({ index }) => index)).toEqual(input.map((_text, index) => index));
      expect(usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
    }
  });

  it('encode embeddings as OpenAI does', async () => {
    const model = 'amazon.titan-embed-text-v2:0';
    const plain = await execute({ model, body: { input: 'a' } }, '/v1/embeddings');
    const coded = await execute({ model, body: { input: 'a', encoding_format: 'base64' } }, '/v1/embeddings');
    const vectorOf = (result: Result) =>
      (JSON.parse(result.body ?? '') as { data: { embedding: string | number[] }[] }).data[0]?.embedding;
    const bytes = Buffer.from(String(vectorOf(coded)), 'base64');
    const decoded = Array.from({ length: bytes.length / 4 }, (_none, index) => bytes.readFloatLE(index * 4));
    expect(decoded).toEqual((vectorOf(plain) as number[]).map(Math.fround));
  });

  it('tell what was used before a part of a request failed', async () => {
    server.configure({ faults: [{ on: 'any', fault: { name: 'ThrottlingException', status: 429 } }] });
    const result = await failed(
      execute({ model: 'amazon.titan-embed-text-v2:0', body: { input: ['a', 'b', 'c'] } }, '/v1/embeddings'),
    );
    expect(result).toMatchObject({ failure: { kind: 'rate_limited' }, usage: { input_tokens: 2 } });
  });

  it('call tools', async () => {
    const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object', properties: {} } } }];
    for (const model of [nova, claude]) {
      const result = await execute({ model, body: { ...chat, tools, tool_choice: 'required' } });
      expect(JSON.parse(result.body ?? '')).toMatchObject({
        choices: [
          {
            message: { content: null, tool_calls: [{ type: 'function', function: { name: 'find' } }] },
            finish_reason: 'tool_calls',
          },
        ],
      });
    }
  });

  it.each([
    ['ValidationException', 400, 'invalid_request', 'validation'],
    ['AccessDeniedException', 403, 'permission', 'access_denied'],
    ['UnrecognizedClientException', 403, 'authentication', 'unrecognized_client'],
    ['ExpiredTokenException', 403, 'authentication', 'expired_token'],
    ['ResourceNotFoundException', 404, 'not_found', 'resource_not_found'],
    ['ThrottlingException', 429, 'rate_limited', 'throttling'],
    ['ServiceQuotaExceededException', 400, 'rate_limited', 'service_quota_exceeded'],
    ['ModelNotReadyException', 429, 'overloaded', 'model_not_ready'],
    ['ModelTimeoutException', 408, 'timeout', 'model_timeout'],
    ['ModelErrorException', 424, 'server_error', 'model_error'],
    ['InternalServerException', 500, 'server_error', 'internal_server'],
    ['ServiceUnavailableException', 503, 'overloaded', 'service_unavailable'],
    ['SomethingNewException', 503, 'overloaded', 'something_new'],
    ['constructor', 400, 'invalid_request', 'constructor'],
  ])('take %s (%i) for %s', async (name, status, kind, code) => {
    server.configure({ faults: [{ on: 'any', fault: { name, status } }] });
    const { failure, body } = await failed(execute());
    expect(failure).toMatchObject({ kind, status, code, reachedProvider: true, retryAfterMs: null });
    expect(JSON.parse(body ?? '')).toMatchObject({ error: { code } });
  });

  it('read how long to wait, and which prompts are too long', async () => {
    const slow = { name: 'ThrottlingException', status: 429, retry_after: '3' };
    server.configure({ faults: [{ on: 'any', fault: slow }] });
    expect((await failed(execute())).failure.retryAfterMs).toBe(3000);
    const long = { name: 'ValidationException', status: 400, message: 'Input is too long for requested model.' };
    server.configure({ faults: [{ on: 'any', fault: long }] });
    expect((await failed(execute())).failure).toMatchObject({
      kind: 'invalid_request',
      code: 'context_length_exceeded',
    });
  });

  it('report throttling beyond what runs at once', async () => {
    server.configure({ slots: 1, latency_ms: 100 });
    const results = await Promise.all([execute(), execute()]);
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(results.find((result) => !result.ok)).toMatchObject({ failure: { kind: 'rate_limited' } });
    expect(server.counters.max_running).toBe(1);
  });

  const faults: [NonNullable<LiveBedrockOptions['faults']>[number]['fault'], string][] = [
    ['reset', 'connection'],
    ['lose_answer', 'connection'],
    ['html', 'bad_response'],
    ['empty', 'bad_response'],
    ['truncated', 'bad_response'],
    ['hang', 'timeout'],
  ];
  it.each(faults)('report %s as %s that may be billed', async (fault, kind) => {
    server.configure({ faults: [{ on: 'any', fault }] });
    const { failure } = await failed(execute({ call: { timeoutMs: 300 } }));
    expect(failure).toMatchObject({ kind, reachedProvider: true });
  });

  it('end when their signal is aborted, and refuse an answer that is too large', async () => {
    server.configure({ latency_ms: 5000 });
    expect((await failed(execute({ call: { signal: AbortSignal.timeout(50) } }))).failure.kind).toBe('interrupted');
    server.configure({ latency_ms: 0 });
    expect((await failed(execute({ call: { maxResponseBytes: 50 } }))).failure.code).toBe('response_too_large');
  });

  it('say that a refused connection never reached Bedrock', async () => {
    const lost = providerAt(server, { runtime_endpoint: await closedUrl() });
    expect((await failed(execute({ provider: lost }))).failure).toMatchObject({
      kind: 'connection',
      reachedProvider: false,
    });
  });

  it('are refused with a wrong key, without showing it', async () => {
    const wrong = providerAt(server, { secret_access_key: 'canary-wrong-secret' });
    const result = await failed(execute({ provider: wrong }));
    expect(result.failure.kind).toBe('authentication');
    expect(JSON.stringify(result)).not.toMatch(/canary/);
    const printed = inspect(wrong, { depth: 10, showHidden: true }) + JSON.stringify(wrong);
    expect(printed).not.toMatch(/canary/);
  });

  it('keep credentials out of every text, even when the server repeats them', async () => {
    server.configure({ echo_headers: true });
    const result = JSON.stringify(await failed(execute()));
    expect(result).toContain('you sent');
    for (const secret of Object.values(caller)) expect(result).not.toContain(secret);
  });

  it('do not carry the signature to where a redirect points', async () => {
    const elsewhere = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')));
    scripted = await startScriptedServer(({ socket }) =>
      socket.write(httpAnswer(307, '', { location: elsewhere.url })),
    );
    const redirected = providerAt(server, { runtime_endpoint: scripted.url });
    expect((await failed(execute({ provider: redirected }))).failure.code).toBe('redirect_refused');
    expect(elsewhere.requests).toHaveLength(0);
    await elsewhere.close();
  });

  it('take credentials from the default chain of AWS when the config has none', async () => {
    const none = { access_key_id: undefined, secret_access_key: undefined, session_token: undefined };
    vi.stubEnv('AWS_ACCESS_KEY_ID', caller.access_key_id);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', caller.secret_access_key);
    vi.stubEnv('AWS_SESSION_TOKEN', caller.session_token);
    const chained = providerAt(server, none);
    expect((await execute({ provider: chained })).ok).toBe(true);
    await chained.close?.();
  });

  it('fail before anything is sent when no credentials are found', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    const bare = { access_key_id: undefined, secret_access_key: undefined, session_token: undefined };
    const { failure } = await failed(execute({ provider: providerAt(server, bare) }));
    expect(failure).toMatchObject({ kind: 'authentication', status: null, reachedProvider: false });
    expect(server.counters.converse).toBe(0);
  });

  it('put the model into the path, encoded', async () => {
    scripted = await startScriptedServer(({ socket }) => socket.write(httpAnswer(500, '{}')));
    const model = 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0';
    await execute({ model, provider: providerAt(server, { runtime_endpoint: `${scripted.url}/` }) });
    expect(scripted.requests[0]?.path).toBe(`/model/${encodeURIComponent(model)}/converse`);
    expect(scripted.requests[0]?.headers['x-amz-security-token']).toBe(caller.session_token);
  });
});

describe('the config of Bedrock', () => {
  const whole = { region: 'us-east-1', role_arn: role, bucket: 'my-batches' };

  it('has batch mode with a role and a bucket, immediate mode always', () => {
    expect(createProvider('bedrock', whole).batch?.limits).toEqual({
      lines: 50_000,
      linesMin: 100,
      bytes: 1e9,
      lineBytes: 25e6,
      jobs: 10,
      enqueuedTokens: null,
    });
    const plain = createProvider('bedrock', { region: 'cn-north-1' });
    expect(plain.batch).toBeUndefined();
    expect(plain.immediate?.members).toEqual(['https://bedrock-runtime.cn-north-1.amazonaws.com.cn']);
    expect(plain).toMatchObject({ priceProvider: 'bedrock', models: [] });
  });

  it.each([
    [{}, 'region'],
    [{ region: 'somewhere' }, 'region'],
    [{ ...whole, role_arn: undefined }, 'bucket'],
    [{ ...whole, role_arn: 'arn:aws:iam::1:user/x' }, 'role_arn'],
    [{ ...whole, bucket: 's3://my-batches' }, 'bucket'],
    [{ ...whole, prefix: '/weir' }, 'prefix'],
    [{ ...whole, prefix: 'a/../b' }, 'prefix'],
    [{ ...whole, prefix: 'a b' }, 'prefix'],
    [{ ...whole, access_key_id: 'k' }, 'secret_access_key'],
    [{ ...whole, session_token: 'k' }, 'session_token'],
    [{ ...whole, timeout_hours: 12 }, 'timeout_hours'],
    [{ ...whole, s3_endpoint: 'http://minio.example.com' }, 's3_endpoint'],
    [{ ...whole, unknown: 1 }, ''],
  ])('refuses %j', (entry, path) => {
    const problems = problemsOf('bedrock', entry);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.split(':')[0]).toBe(path);
  });
});
