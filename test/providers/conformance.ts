import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Call, type Provider, ProviderError, type Result } from '../../providers/contract.ts';
import type { ServerOptions } from '../../providers/sandbox/servers/openai-compatible.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { FailureKind } from '../../src/core/failure.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { closedUrl, httpAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

export interface Running {
  provider: Provider;
  stop(): Promise<void>;
}

/** One kind of provider under test. */
export interface Subject {
  kind: string;
  model: string;
  /** The credential that every provider it makes is configured with; null when the kind has none. */
  secret: string | null;
  /** A provider over a simulated server with these options. */
  start(options: ServerOptions): Promise<Running>;
  /** A provider of servers at an address; null for a kind that only calls servers of its own. */
  at: ((url: string) => Provider) | null;
}

const bodies: Record<Endpoint, Record<string, unknown>> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'What is 2 + 2?' }], max_tokens: 20 },
  '/v1/completions': { prompt: '2 + 2 =', max_tokens: 20 },
  '/v1/embeddings': { input: ['two', 'three'] },
  '/v1/responses': { input: 'What is 2 + 2?', max_output_tokens: 20 },
  '/v1/moderations': { input: 'I like trains.' },
};

/** What every provider promises, over real HTTP. */
export function describeProvider(subject: Subject): void {
  describe(`a provider of kind ${subject.kind}`, () => {
    let http: HttpClient;
    const cleanups: (() => Promise<void>)[] = [];
    beforeAll(() => {
      http = createNodeHttpClient();
    });
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });
    afterAll(() => http.close());

    function callOf(provider: Provider, changes: Partial<Call> = {}): Call {
      const member = provider.immediate?.members[0] ?? '';
      return { http, member, timeoutMs: 10_000, maxResponseBytes: 100e6, nowMs: Date.now(), ...changes };
    }

    async function execute(
      provider: Provider,
      changes: Partial<Call> = {},
      endpoint: Endpoint = '/v1/chat/completions',
    ): Promise<Result> {
      const converted = provider.convert({ customId: 'r', endpoint, body: bodies[endpoint] }, subject.model);
      if (!converted.ok) throw new Error(converted.failure.message);
      if (provider.immediate === undefined) throw new Error('no immediate mode');
      return provider.immediate.execute(converted.request, callOf(provider, changes));
    }

    async function start(options: ServerOptions = {}): Promise<Provider> {
      const running = await subject.start({ models: [subject.model], ...options });
      cleanups.push(() => running.stop());
      return running.provider;
    }

    async function script(answer: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
      const server = await startScriptedServer(answer);
      cleanups.push(() => server.close());
      return server;
    }

    async function failed(result: Promise<Result>) {
      const outcome = await result;
      if (outcome.ok) throw new Error(`succeeded: ${outcome.body.slice(0, 200)}`);
      return outcome;
    }

    it('serves every endpoint it names, with usage and one line of JSON', async () => {
      const provider = await start();
      expect(provider.endpoints.length).toBeGreaterThan(0);
      for (const endpoint of provider.endpoints) {
        const result = await execute(provider, {}, endpoint);
        if (!result.ok) throw new Error(`${endpoint}: ${result.failure.message}`);
        expect(result.body).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
        expect(JSON.parse(result.body)).toMatchObject({ model: subject.model });
        expect(result).toMatchObject({ status: 200, servedModel: subject.model, requestId: expect.any(String) });
        if (endpoint === '/v1/moderations') continue;
        expect(result.usage?.input_tokens, endpoint).toBeGreaterThan(0);
        expect(result.rawUsage, endpoint).toEqual((JSON.parse(result.body) as { usage: object }).usage);
        expect(result.warnings, endpoint).toEqual([]);
      }
    });

    it('refuses the endpoints it does not name, without a call', async () => {
      const provider = await start();
      for (const endpoint of Object.keys(bodies) as Endpoint[]) {
        if (provider.endpoints.includes(endpoint)) continue;
        const converted = provider.convert({ customId: 'r', endpoint, body: bodies[endpoint] }, subject.model);
        expect(converted).toMatchObject({ ok: false, failure: { kind: 'unsupported', reachedProvider: false } });
      }
    });

    it('reads why a generation ended', async () => {
      expect(await execute(await start({ rate_length: 1 }))).toMatchObject({ ok: true, finishReason: 'length' });
      expect(await execute(await start({ rate_content_filter: 1 }))).toMatchObject({ finishReason: 'content_filter' });
      expect(await execute(await start({ rate_abort: 1 }))).toMatchObject({
        ok: false,
        failure: { kind: 'server_error', code: 'aborted', reachedProvider: true },
        usage: { input_tokens: expect.any(Number) },
      });
    });

    it('tells missing and doubtful usage', async () => {
      const absent = await execute(await start({ usage: 'absent' }));
      expect(absent).toMatchObject({ ok: true, usage: null, rawUsage: null, warnings: ['usage: not reported'] });
      const zeros = await execute(await start({ usage: 'zeros' }));
      expect(zeros).toMatchObject({ ok: true, warnings: [expect.stringContaining('zero')] });
      const cached = await execute(await start({ usage: 'cached' }));
      expect(cached.usage?.cached_input_tokens).toBeGreaterThan(0);
    });

    const statuses: [number, FailureKind][] = [
      [400, 'invalid_request'],
      [401, 'authentication'],
      [402, 'quota_exhausted'],
      [403, 'permission'],
      [404, 'not_found'],
      [405, 'unsupported'],
      [408, 'timeout'],
      [409, 'server_error'],
      [413, 'invalid_request'],
      [422, 'invalid_request'],
      [424, 'server_error'],
      [429, 'rate_limited'],
      [499, 'server_error'],
      [500, 'server_error'],
      [502, 'server_error'],
      [503, 'overloaded'],
      [504, 'timeout'],
      [524, 'timeout'],
      [529, 'overloaded'],
    ];
    it.each(statuses)('takes status %i for %s, in both error shapes', async (status, kind) => {
      for (const shape of ['nested', 'flat'] as const) {
        const provider = await start({ fail_after: 0, fail_with: status, error_shape: shape });
        const { failure, body } = await failed(execute(provider));
        expect(failure).toMatchObject({ kind, status, reachedProvider: true, retryAfterMs: null });
        expect(failure.code).toMatch(/^[a-z_]+$/);
        const { message, type, param, code } = failure;
        expect(JSON.parse(body ?? '')).toEqual({ error: { message, type, param, code } });
      }
    });

    it.each([
      ['openai', 'rate_limited'],
      ['vllm', 'overloaded'],
      ['tgi', 'overloaded'],
      ['ollama', 'overloaded'],
    ] as const)('understands a full queue in the words of %s', async (overflow, kind) => {
      const provider = await start({ slots: 1, queue: 0, latency_ms: 200, overflow });
      const results = await Promise.all([execute(provider), execute(provider)]);
      const refused = results.filter((result) => !result.ok);
      expect(refused).toMatchObject([{ failure: { kind } }]);
    });

    it('says which prompt is too long and which model is unknown', async () => {
      const short = await start({ max_model_len: 3 });
      expect((await failed(execute(short))).failure).toMatchObject({
        kind: 'invalid_request',
        code: 'context_length_exceeded',
        param: 'messages',
      });
      const other = await start({ models: ['another'], strict_models: true });
      expect((await failed(execute(other))).failure).toMatchObject({ kind: 'not_found', code: 'model_not_found' });
    });

    it.each([
      ['seconds', 2000],
      ['milliseconds', 2000],
      ['negative', null],
      ['huge', 600_000],
      ['absent', null],
    ] as const)('reads a Retry-After of %s', async (form, expected) => {
      const provider = await start({ rate_429: 1, retry_after: form, retry_after_seconds: 2 });
      expect((await failed(execute(provider))).failure.retryAfterMs).toBe(expected);
    });

    it('reads a Retry-After that is a date', async () => {
      const provider = await start({ rate_429: 1, retry_after: 'http_date', retry_after_seconds: 30 });
      const { failure } = await failed(execute(provider));
      expect(failure.retryAfterMs).toBeGreaterThan(25_000);
      expect(failure.retryAfterMs).toBeLessThanOrEqual(30_000);
    });

    it.each(['reset', 'reset_mid_body'] as const)(
      'reports a %s as a lost connection that may be billed',
      async (fault) => {
        const provider = await start({ fail_after: 0, fail_with: fault });
        const { failure, body } = await failed(execute(provider));
        expect(failure).toMatchObject({ kind: 'connection', status: null, reachedProvider: true });
        expect(body).toBeNull();
      },
    );

    it('gives up on a server that hangs', async () => {
      const provider = await start({ rate_hang: 1 });
      const { failure } = await failed(execute(provider, { timeoutMs: 200 }));
      expect(failure).toMatchObject({ kind: 'timeout', status: null, reachedProvider: true });
    });

    it('gives up on a body that drips past the deadline', async () => {
      const provider = await start({ rate_slow_body: 1, slow_body_ms: 5000 });
      const { failure } = await failed(execute(provider, { timeoutMs: 300 }));
      expect(failure).toMatchObject({ kind: 'timeout', reachedProvider: true });
    });

    it('ends a call when its signal is aborted', async () => {
      const provider = await start({ rate_hang: 1 });
      const { failure } = await failed(execute(provider, { signal: AbortSignal.timeout(100) }));
      expect(failure).toMatchObject({ kind: 'interrupted' });
    });

    it.each(['html', 'truncated', 'empty'] as const)('does not take a 200 with %s for an answer', async (form) => {
      const provider = await start({ rate_bad_json: 1, bad_json: form });
      const { failure, body } = await failed(execute(provider));
      expect(failure).toMatchObject({ kind: 'bad_response', status: 200, reachedProvider: true });
      expect(body).toBeNull();
    });

    it('refuses an answer larger than it may be', async () => {
      const { failure } = await failed(execute(await start(), { maxResponseBytes: 100 }));
      expect(failure).toMatchObject({ kind: 'bad_response', code: 'response_too_large', reachedProvider: true });
    });

    it('lists models or has them listed', async () => {
      const provider = await start();
      if (provider.models !== null) expect(provider.models).toContain(subject.model);
      if (provider.listModels === undefined) expect(provider.models).not.toBeNull();
      else expect(await provider.listModels(callOf(provider))).toContain(subject.model);
    });

    it('tells whether a server is healthy, if it can', async () => {
      const healthy = await start();
      if (healthy.immediate?.healthy === undefined) return;
      expect(await healthy.immediate.healthy(callOf(healthy))).toBe(true);
      const ill = await start({ health_status: 503 });
      // A server that starts with its first call is neither well nor ill before.
      await execute(ill);
      expect(await ill.immediate?.healthy?.(callOf(ill))).toBe(false);
    });

    it('does not show its credential when it is printed', async () => {
      const provider = await start();
      const printed = inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider) + String(provider);
      if (subject.secret !== null) expect(printed).not.toContain(subject.secret);
    });

    const { at, secret } = subject;
    describe.skipIf(at === null)('at an address of the operator', () => {
      function providerAt(url: string): Provider {
        if (at === null) throw new Error('skipped');
        return at(url);
      }

      it('says that a refused connection never reached the provider', async () => {
        const { failure } = await failed(execute(providerAt(await closedUrl())));
        expect(failure).toMatchObject({ kind: 'connection', status: null, reachedProvider: false });
        expect(failure.message).not.toMatch(/127\.0\.0\.1|localhost/);
      });

      it('keeps its credential out of every text, even when the server repeats it', async () => {
        const echo = await script(({ headers, socket }) => {
          const text = `you sent ${JSON.stringify(headers)}`;
          socket.write(httpAnswer(400, JSON.stringify({ error: { message: text, code: headers['api-key'] ?? 'x' } })));
        });
        const result = await failed(execute(providerAt(echo.url)));
        const headers = JSON.stringify(echo.requests[0]?.headers);
        if (secret !== null) expect(headers).toContain(secret);
        if (secret !== null) expect(JSON.stringify(result)).not.toContain(secret);
      });

      it('does not carry its credential to where a redirect points', async () => {
        const elsewhere = await script(({ socket }) => socket.write(httpAnswer(200, '{}')));
        const here = await script(({ socket }) =>
          socket.write(httpAnswer(307, '', { location: `${elsewhere.url}/v1` })),
        );
        const { failure } = await failed(execute(providerAt(here.url)));
        expect(failure).toMatchObject({ kind: 'bad_response', code: 'redirect_refused', status: 307 });
        expect(elsewhere.requests).toHaveLength(0);
      });

      it('hands on raw line separators as escapes', async () => {
        const text = `{\n"model":"m","choices":[{"message":{"content":"a\u2028b\u2029c\u0085d"}}]}\n`;
        const { url } = await script(({ socket }) => socket.write(httpAnswer(200, text)));
        const result = await execute(providerAt(url));
        expect(result.body).toBe('{"model":"m","choices":[{"message":{"content":"a\\u2028b\\u2029c\\u0085d"}}]}');
      });

      it('takes an answer of 50 MB', async () => {
        const text = JSON.stringify({ model: 'm', choices: [{ message: { content: 'x'.repeat(50e6) } }] });
        const { url } = await script(({ socket }) => socket.write(httpAnswer(200, text)));
        const result = await execute(providerAt(url));
        expect(result.ok && result.body.length).toBe(text.length);
      });

      it('rejects a model list that is none with a ProviderError', async () => {
        const { url } = await script(({ socket }) => socket.write(httpAnswer(200, '{"data":"none"}')));
        const provider = providerAt(url);
        if (provider.listModels === undefined) return;
        await expect(provider.listModels(callOf(provider))).rejects.toThrow(ProviderError);
        const gone = providerAt(await closedUrl());
        await expect(gone.listModels?.(callOf(gone))).rejects.toMatchObject({ failure: { reachedProvider: false } });
      });
    });
  });
}
