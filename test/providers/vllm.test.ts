import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import { describeProvider } from './conformance.ts';
import { createProvider, problemsOf, startOver } from './kinds.ts';
import { httpAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const secret = 'vllm-key-canary-1';

function at(url: string) {
  return createProvider('vllm', { base_urls: [`${url}/v1`], api_key: secret });
}

describeProvider({
  kind: 'vllm',
  model: 'llama-3.3-70b',
  secret,
  start: (options) => startOver(options, secret, at),
  at,
});

describe('a pool of self-hosted servers', () => {
  let http: HttpClient | undefined;
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await http?.close();
    await server?.close();
  });

  it('is checked through its model list where there is no health endpoint', async () => {
    server = await startScriptedServer(({ path, socket }) =>
      socket.write(path === '/v1/models' ? httpAnswer(200, '{"data":[]}') : httpAnswer(404, '404 page not found')),
    );
    http = createNodeHttpClient();
    const call = { http, member: `${server.url}/v1`, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 0 };
    expect(await at(server.url).immediate?.healthy?.(call)).toBe(true);
    expect(server.requests.map(({ path }) => path)).toEqual(['/health', '/v1/models']);
  });

  it('calls the member that the call names', async () => {
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(500, '{}')));
    http = createNodeHttpClient();
    const members = ['http://127.0.0.1:9/v1', server.url];
    const provider = createProvider('vllm', { base_urls: members });
    expect(provider.immediate?.members).toEqual(members);
    const request = { endpoint: '/v1/embeddings', model: 'm', body: '{}' } as const;
    const call = { http, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 0 };
    const refused = await provider.immediate?.execute(request, { ...call, member: members[0] ?? '' });
    expect(refused).toMatchObject({ failure: { reachedProvider: false } });
    await provider.immediate?.execute(request, { ...call, member: server.url });
    expect(server.requests).toMatchObject([{ path: '/v1/embeddings', body: '{}' }]);
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
  });

  it('passes the parameters on that only such servers know', () => {
    const body = { messages: [], top_k: 5, guided_json: {}, chat_template_kwargs: { enable_thinking: false } };
    const converted = at('http://pool').convert({ customId: 'r', endpoint: '/v1/chat/completions', body }, 'm');
    expect(converted.ok && JSON.parse(converted.request.body)).toEqual({ model: 'm', ...body });
  });

  it('is configured as the manual says, and nothing else', () => {
    const provider = createProvider('vllm', {
      base_urls: ['http://10.0.0.5:8000/v1', 'http://10.0.0.6:8000/v1'],
      models: ['llama-3.3-70b'],
      limits: { concurrency: 256, requests_per_minute: 6000, tokens_per_minute: 2_000_000 },
      price: { input: 0.1, output: 0.4 },
    });
    expect(provider).toMatchObject({
      name: 'p',
      kind: 'vllm',
      priceProvider: null,
      models: ['llama-3.3-70b'],
      limits: { concurrency: 256, requestsPerMinute: 6000, tokensPerMinute: 2_000_000 },
    });
    expect(problemsOf('vllm', {})).toEqual([expect.stringContaining('base_urls')]);
    expect(problemsOf('vllm', { base_urls: [] })).toEqual([expect.stringContaining('base_urls')]);
    for (const [one, other] of [
      ['http://a/v1', 'http://a/v1'],
      ['http://a/v1', 'http://a/v1/'],
      ['http://a', 'http://A:80/v1'],
    ]) {
      expect(problemsOf('vllm', { base_urls: [one, other] })).toEqual(['base_urls: names a server twice']);
    }
    expect(problemsOf('vllm', { base_urls: ['http://a/one/v1', 'http://a/two/v1', 'https://a/one/v1'] })).toEqual([]);
    expect(problemsOf('vllm', { base_urls: ['http://a'], base_url: 'http://a' })).toEqual([
      expect.stringContaining('base_url'),
    ]);
    expect(problemsOf('vllm', { base_urls: ['http://a'], limits: { rpm: 1 } })).toEqual([
      expect.stringContaining('rpm'),
    ]);
    expect(problemsOf('vllm', { base_urls: ['http://a'], limits: { concurrency: 0 } })).toHaveLength(1);
    const broken = problemsOf('vllm', { base_urls: ['http://a'], api_key: 'hunter22\n' });
    expect(broken).toEqual([expect.stringContaining('line breaks')]);
    expect(broken.join()).not.toContain('hunter22');
  });
});
