import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import { describeProvider } from './conformance.ts';
import { createProvider, problemsOf, startOver } from './kinds.ts';
import { httpAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const secret = 'sk-canary-openai-22';

function at(url: string) {
  return createProvider('openai', { base_url: url, api_key: secret });
}

describeProvider({
  kind: 'openai',
  model: 'gpt-4o-mini',
  secret,
  start: (options) => startOver(options, secret, at),
  at,
});

describe('OpenAI', () => {
  let http: HttpClient | undefined;
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await http?.close();
    await server?.close();
  });

  it('gets the key, the organization and the project as headers', async () => {
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(500, '{}')));
    http = createNodeHttpClient();
    const entry = { base_url: server.url, api_key: secret, organization: 'org-canary1', project: 'proj_canary2' };
    const provider = createProvider('openai', entry);
    const call = { http, member: server.url, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 0 };
    await provider.immediate?.execute({ endpoint: '/v1/responses', model: 'm', body: '{"input":"ü"}' }, call);
    expect(server.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/responses',
        body: '{"input":"ü"}',
        headers: {
          authorization: `Bearer ${secret}`,
          'content-type': 'application/json',
          'openai-organization': 'org-canary1',
          'openai-project': 'proj_canary2',
        },
      },
    ]);
  });

  it('is at api.openai.com unless told otherwise, and is priced as openai', () => {
    const provider = createProvider('openai', { api_key: secret });
    expect(provider.immediate?.members).toEqual(['https://api.openai.com/v1']);
    expect(provider).toMatchObject({ priceProvider: 'openai', models: null });
  });

  it('needs a key, and https outside the own network', () => {
    expect(problemsOf('openai', {})).toEqual([expect.stringContaining('api_key')]);
    expect(problemsOf('openai', { api_key: '' })).toEqual([expect.stringContaining('is empty')]);
    const open = { api_key: secret, base_url: 'http://proxy.example.com/v1' };
    expect(problemsOf('openai', open)).toEqual(['base_url: must be https, or say allow_http: true']);
    expect(problemsOf('openai', { ...open, allow_http: true })).toEqual([]);
    expect(problemsOf('openai', { ...open, base_url: 'http://10.0.0.9/v1' })).toEqual([]);
  });
});
