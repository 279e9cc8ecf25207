import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { describeProvider } from './conformance.ts';
import { createProvider, problemsOf, startOver } from './kinds.ts';
import { httpAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const secret = 'azurecanary0123456789';
const deployments = { 'gpt-4o-mini': 'gpt-4o-mini' };

function at(url: string) {
  return createProvider('azure', { endpoint: url, api_key: secret, deployments });
}

function atDated(url: string) {
  return createProvider('azure', { endpoint: `${url}/`, api_key: secret, deployments, api_version: '2024-10-21' });
}

describeProvider({
  kind: 'azure',
  model: 'gpt-4o-mini',
  secret,
  start: (options) => startOver(options, secret, at),
  at,
});

describeProvider({
  kind: 'azure with a dated API version',
  model: 'gpt-4o-mini',
  secret,
  start: (options) => startOver(options, secret, atDated),
  at: atDated,
});

describe('Azure', () => {
  let http: HttpClient | undefined;
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await http?.close();
    await server?.close();
  });

  async function seen(entry: object, endpoint: Endpoint) {
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(500, '{}')));
    http = createNodeHttpClient();
    const provider = createProvider('azure', { endpoint: server.url, deployments: { 'gpt-4o': 'my-4o' }, ...entry });
    const converted = provider.convert({ customId: 'r', endpoint, body: { model: 'x' } }, 'gpt-4o');
    if (!converted.ok) throw new Error(converted.failure.message);
    const call = { http, member: server.url, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 0 };
    await provider.immediate?.execute(converted.request, call);
    return server.requests[0];
  }

  it('finds the deployment by the body in its v1 API', async () => {
    const request = await seen({ api_key: secret }, '/v1/chat/completions');
    expect(request).toMatchObject({ path: '/openai/v1/chat/completions', body: '{"model":"my-4o"}' });
    expect(request?.headers['api-key']).toBe(secret);
    expect(request?.headers.authorization).toBeUndefined();
  });

  it('finds the deployment by the path in its dated API', async () => {
    const request = await seen({ api_key: secret, api_version: '2024-10-21' }, '/v1/embeddings');
    expect(request?.path).toBe('/openai/deployments/my-4o/embeddings?api-version=2024-10-21');
  });

  it('has responses outside the deployments in its dated API', async () => {
    const request = await seen({ api_key: secret, api_version: '2025-04-01-preview' }, '/v1/responses');
    expect(request).toMatchObject({
      path: '/openai/responses?api-version=2025-04-01-preview',
      body: '{"model":"my-4o"}',
    });
  });

  it('takes an Entra token instead of a key, and an endpoint with its path', async () => {
    const request = await seen({ ad_token: 'entra.token' }, '/v1/completions');
    expect(request?.headers.authorization).toBe('Bearer entra.token');
    expect(request?.headers['api-key']).toBeUndefined();
    const urls = createProvider('azure', {
      endpoint: 'https://x.openai.azure.com/openai/v1/',
      api_key: secret,
      deployments,
    });
    expect(urls.immediate?.members).toEqual(['https://x.openai.azure.com/openai/v1/']);
  });

  it('names models by deployment and prices deployments by model', () => {
    const entry = {
      endpoint: 'https://x.openai.azure.com',
      api_key: secret,
      deployments: { 'gpt-4o': 'eu-4o', mini: 'small' },
    };
    const provider = createProvider('azure', entry);
    const line = { customId: 'r', endpoint: '/v1/chat/completions', body: { messages: [] } } as const;
    expect(provider.models).toEqual(['gpt-4o', 'mini']);
    expect(provider.convert(line, 'gpt-4o')).toMatchObject({
      request: { model: 'eu-4o', body: '{"model":"eu-4o","messages":[]}' },
    });
    expect(provider.convert(line, 'small')).toMatchObject({ request: { model: 'small' } });
    expect(provider.convert(line, 'gpt-5')).toMatchObject({
      ok: false,
      failure: { kind: 'not_found', code: 'model_not_found', param: 'model' },
    });
    expect(provider.convert(line, '__proto__')).toMatchObject({ ok: false });
    expect(['gpt-4o', 'eu-4o', 'small', 'other'].map((name) => provider.pricedModel?.(name))).toEqual([
      'gpt-4o',
      'gpt-4o',
      'mini',
      'other',
    ]);
  });

  it('is configured with one credential, deployments and https', () => {
    const entry = { endpoint: 'https://x.openai.azure.com', api_key: secret, deployments };
    expect(problemsOf('azure', entry)).toEqual([]);
    expect(problemsOf('azure', { ...entry, ad_token: 't' })).toEqual(['api_key: give either api_key or ad_token']);
    expect(problemsOf('azure', { ...entry, api_key: undefined })).toEqual(['api_key: give either api_key or ad_token']);
    expect(problemsOf('azure', { ...entry, deployments: {} })).toEqual([expect.stringContaining('at least one')]);
    expect(problemsOf('azure', { ...entry, deployments: { m: '../x' } })).toEqual([
      expect.stringContaining('deployments.m'),
    ]);
    expect(problemsOf('azure', { ...entry, api_version: 'latest' })).toEqual([expect.stringContaining('api_version')]);
    expect(problemsOf('azure', { ...entry, endpoint: 'http://x.openai.azure.com' })).toEqual([
      expect.stringContaining('https'),
    ]);
  });
});
