import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerStream, Failed, Provider } from '../../providers/contract.ts';
import { startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { startBedrockServer } from '../../providers/sandbox/servers/bedrock.ts';
import { startVertexServer } from '../../providers/sandbox/servers/vertex.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import { createProvider } from './kinds.ts';

const caller = { access_key_id: 'AKIACANARY', secret_access_key: 'canary-secret' };

/** One service for each form of stream: a provider of it, and how it goes wrong next. */
const services = {
  async anthropic() {
    const server = await startAnthropicServer({ api_key: 'sk-canary' });
    return {
      provider: createProvider('anthropic', { base_url: server.url, api_key: 'sk-canary' }),
      model: 'claude-haiku-4-5',
      refuse: () => server.configure({ fail_with: 429, retry_after: '3' }),
      answerHtml: () => server.configure({ fail_with: 'html' }),
      answerWhole: () => server.configure({ fail_with: 'error_object' }),
      hang: () => server.configure({ stream: { fault: 'hang' } }),
      stop: () => server.stop(),
    };
  },
  async vertex() {
    const server = await startVertexServer();
    const { url, tokenUrl, credentials } = server;
    const place = { project: 'sim-project', location: 'us-central1', base_url: url, token_url: tokenUrl, credentials };
    const next = (fault: object) => server.configure({ faults: [{ on: 'streamGenerateContent', ...fault } as never] });
    return {
      provider: createProvider('vertex', place),
      model: 'gemini-2.5-flash',
      refuse: () => next({ fault: 429, retry_after: '3' }),
      answerHtml: () => next({ fault: 'html' }),
      answerWhole: () => next({ fault: 'error' }),
      hang: () => server.configure({ stream: { fault: 'hang' } }),
      stop: () => server.stop(),
    };
  },
  async bedrock() {
    const server = await startBedrockServer({ caller: { ...caller, session_token: null } });
    const next = (fault: never) => server.configure({ faults: [{ on: 'converse', fault }] });
    return {
      provider: createProvider('bedrock', { region: 'us-east-1', runtime_endpoint: server.url, ...caller }),
      model: 'amazon.nova-lite-v1:0',
      refuse: () => next({ name: 'ThrottlingException', status: 429, retry_after: '3' } as never),
      answerHtml: () => next('html' as never),
      answerWhole: () => next('error_object' as never),
      hang: () => server.configure({ stream: { fault: 'hang' } }),
      stop: () => server.stop(),
    };
  },
};

describe.each(Object.keys(services) as (keyof typeof services)[])('a stream of %s', (kind) => {
  let http: HttpClient;
  let service: Awaited<ReturnType<(typeof services)[typeof kind]>>;
  beforeAll(() => {
    http = createNodeHttpClient();
  });
  afterEach(() => service.stop());
  afterAll(() => http.close());

  async function open(provider: Provider = service.provider, timeoutMs = 5_000): Promise<AnswerStream | Failed> {
    const { immediate } = provider;
    const body = { messages: [{ role: 'user', content: 'What is 2 + 2?' }], max_tokens: 100 };
    const converted = provider.convert({ customId: 'r', endpoint: '/v1/chat/completions', body }, service.model);
    if (!converted.ok || immediate === undefined) throw new Error('not converted');
    const member = immediate.members[0] ?? '';
    const call = { http, member, timeoutMs, maxResponseBytes: 1e6, nowMs: Date.now() };
    return immediate.stream(converted.request, {}, call);
  }

  it('that is refused, or is none, fails as a whole answer would, and shows no secret', async () => {
    service = await services[kind]();
    service.refuse();
    const refused = await open();
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'rate_limited', status: 429, retryAfterMs: 3_000 } });
    service.answerHtml();
    const html = await open();
    expect(html).toMatchObject({ ok: false, failure: { kind: 'bad_response', status: 200, reachedProvider: true } });
    service.answerWhole();
    const whole = await open();
    expect(whole).toMatchObject({ ok: false, failure: { kind: 'bad_response', status: 200, reachedProvider: true } });
    expect(JSON.stringify([refused, html, whole])).not.toContain('canary');
  });

  it('that says nothing in time is given up, and may have been billed', async () => {
    service = await services[kind]();
    service.hang();
    expect(await open(service.provider, 300)).toMatchObject({
      ok: false,
      failure: { kind: 'timeout', reachedProvider: true },
    });
  });
});

it('a stream of Gemini is asked for again when its token is refused', async () => {
  const server = await startVertexServer();
  const http = createNodeHttpClient();
  try {
    const { url, tokenUrl, credentials } = server;
    const place = { project: 'sim-project', location: 'us-central1', base_url: url, token_url: tokenUrl, credentials };
    const { immediate } = createProvider('vertex', place);
    const body = JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] });
    const request = { endpoint: '/v1/chat/completions', model: 'gemini-2.5-flash', body } as const;
    const call = { http, member: url, timeoutMs: 5_000, maxResponseBytes: 1e6, nowMs: Date.now() };
    for (const isRevoked of [false, true]) {
      if (isRevoked) server.tokens.revokeAll();
      const opened = await immediate?.stream(request, {}, call);
      if (!opened?.ok) throw new Error(opened?.failure.message);
      for await (const piece of opened.pieces) expect(piece.data).not.toBe('');
    }
    expect(server.counters).toMatchObject({ answers: 2, unauthorized: 1, tokens: 2 });
  } finally {
    await http.close();
    await server.stop();
  }
});
