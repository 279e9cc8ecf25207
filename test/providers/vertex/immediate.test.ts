import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Call, Provider, Result } from '../../../providers/contract.ts';
import { startVertexServer, type VertexServer } from '../../../providers/sandbox/servers/vertex.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { createProvider } from '../kinds.ts';
import { closedUrl } from '../scripted-server.ts';
import { entryOf, issueToken } from './batch-subject.ts';

describe('immediate mode on Vertex AI', () => {
  let server: VertexServer;
  let http: HttpClient;
  let provider: Provider;
  beforeEach(async () => {
    server = await startVertexServer();
    http = createNodeHttpClient();
    provider = createProvider('vertex', entryOf(server));
  });
  afterEach(async () => {
    await http.close();
    await server.stop();
  });

  const chat = { messages: [{ role: 'user', content: 'What is 2 + 2?' }] };

  function execute(
    body: Record<string, unknown> = chat,
    model = 'gemini-2.5-flash',
    endpoint: Endpoint = '/v1/chat/completions',
    changes: Partial<Call> = {},
  ): Promise<Result> {
    const converted = provider.convert({ customId: 'c', endpoint, body }, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    const { immediate } = provider;
    if (immediate === undefined) throw new Error('no immediate mode');
    const member = immediate.members[0] ?? '';
    const call = { http, member, timeoutMs: 5000, maxResponseBytes: 50e6, nowMs: Date.now(), ...changes };
    return immediate.execute(converted.request, call);
  }

  async function bodyOf(result: Promise<Result>): Promise<Record<string, unknown>> {
    const outcome = await result;
    if (!outcome.ok) throw new Error(outcome.failure.message);
    return JSON.parse(outcome.body) as Record<string, unknown>;
  }

  it('serves Gemini, Claude, embeddings and responses with usage', async () => {
    const gemini = await execute();
    expect(gemini).toMatchObject({ ok: true, servedModel: 'gemini-2.5-flash', finishReason: 'stop', warnings: [] });
    expect(gemini.usage?.input_tokens).toBeGreaterThan(0);
    expect(gemini.usage?.output_tokens).toBeGreaterThan(0);
    const claude = await execute({ ...chat, max_tokens: 5 }, 'claude-haiku-4-5@20251001');
    expect(claude).toMatchObject({ ok: true, finishReason: 'length' });
    expect(claude.usage?.output_tokens).toBe(5);
    const responses = await bodyOf(execute({ input: 'Hi' }, undefined, '/v1/responses'));
    expect(responses).toMatchObject({ object: 'response', status: 'completed' });
    const embedded = await execute({ input: ['a', 'b'], dimensions: 8 }, 'text-embedding-005', '/v1/embeddings');
    expect(embedded.usage).toEqual({ input_tokens: 2 });
    expect(server.counters).toMatchObject({ answers: 4, tokens: 1 });
  });

  it('asks one text at a time where a model takes no more, and keeps their order', async () => {
    const input = ['one', 'two', 'three'];
    const together = await bodyOf(execute({ input, dimensions: 4 }, 'text-embedding-005', '/v1/embeddings'));
    const apart = await bodyOf(execute({ input, dimensions: 4 }, 'gemini-embedding-001', '/v1/embeddings'));
    expect(apart.data).toEqual(together.data);
    expect(apart.usage).toEqual(together.usage);
    expect(server.counters.answers).toBe(4);
  });

  it('says what earlier texts cost when a later one fails', async () => {
    const input = ['one two', 'three'];
    for (const fault of [500, 'reset'] as const) {
      server.configure({ faults: [{ on: 'predict', fault, skip: 1 }] });
      const result = await execute({ input }, 'gemini-embedding-001', '/v1/embeddings');
      expect(result).toMatchObject({ ok: false, failure: { reachedProvider: true }, usage: { input_tokens: 2 } });
    }
  });

  it('gives up on a server that hangs', async () => {
    server.configure({ faults: [{ on: 'generateContent', fault: 'hang' }] });
    const stuck = await execute(chat, undefined, undefined, { timeoutMs: 200 });
    expect(stuck).toMatchObject({ ok: false, failure: { kind: 'timeout', reachedProvider: true } });
  });

  it('forces tools, counts thoughts and cached tokens apart', async () => {
    server.configure({ usage: 'cached', thoughts: 12 });
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
    const result = await execute({ ...chat, tools, tool_choice: 'required' });
    expect(result).toMatchObject({ finishReason: 'tool_calls', usage: { reasoning_tokens: 12 } });
    expect(result.usage?.cached_input_tokens).toBeGreaterThan(0);
    const empty = await bodyOf(execute({ ...chat, max_tokens: 12 }));
    expect(empty.choices).toMatchObject([{ finish_reason: 'length', message: { content: '' } }]);
  });

  it('answers blocked prompts as filtered, and says so of forced finishes', async () => {
    server.configure({ block: '2 + 2' });
    expect(await execute()).toMatchObject({ ok: true, finishReason: 'content_filter', usage: { output_tokens: 0 } });
    server.configure({ block: null, finish: 'SAFETY' });
    expect(await execute()).toMatchObject({ ok: true, finishReason: 'content_filter' });
    server.configure({ finish: 'MALFORMED_FUNCTION_CALL' });
    expect(await execute()).toMatchObject({ ok: false, failure: { code: 'malformed_function_call' } });
  });

  it('tells missing and doubtful usage', async () => {
    server.configure({ usage: 'absent' });
    expect(await execute()).toMatchObject({ ok: true, usage: null, warnings: ['usage: not reported'] });
    server.configure({ usage: 'zeros' });
    expect(await execute()).toMatchObject({ ok: true, warnings: [expect.stringContaining('zero')] });
  });

  it.each([
    [400, 'invalid_request'],
    [403, 'permission'],
    [404, 'not_found'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [503, 'overloaded'],
    [504, 'timeout'],
    [302, 'bad_response'],
  ])('takes status %i for %s', async (status, kind) => {
    server.configure({ faults: [{ on: 'generateContent', fault: status, retry_after: '3' }] });
    const result = await execute();
    expect(result).toMatchObject({ ok: false, failure: { kind, status, reachedProvider: true } });
    if (status === 429 || status === 503) expect(result.ok || result.failure.retryAfterMs).toBe(3000);
  });

  it('renews a token that ended early, once, and then says that it is not accepted', async () => {
    await execute();
    server.tokens.revokeAll();
    expect((await execute()).ok).toBe(true);
    expect(server.counters).toMatchObject({ tokens: 2, unauthorized: 1 });
    const token = issueToken(server);
    provider = createProvider('vertex', entryOf(server, { credentials: undefined, access_token: token }));
    server.tokens.revokeAll();
    const refused = await execute();
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'authentication', status: 401 } });
    expect(JSON.stringify(refused)).not.toContain(token);
  });

  it('keeps its token out of every text, even when the server repeats it', async () => {
    server.configure({ faults: [{ on: 'generateContent', fault: 'echo' }] });
    const result = await execute();
    expect(result).toMatchObject({ ok: false, failure: { kind: 'invalid_request' } });
    expect(JSON.stringify(result)).not.toContain('ya29');
  });

  it.each(['html', 'empty', 'truncated', 'error'] as const)(
    'does not take a 200 with %s for an answer',
    async (fault) => {
      server.configure({ faults: [{ on: 'generateContent', fault }] });
      expect(await execute()).toMatchObject({ ok: false, body: null, failure: { kind: 'bad_response', status: 200 } });
    },
  );

  it.each(['reset', 'half', 'lost'] as const)('reports %s as a lost connection that may be billed', async (fault) => {
    server.configure({ faults: [{ on: 'generateContent', fault }] });
    expect(await execute()).toMatchObject({ ok: false, failure: { kind: 'connection', reachedProvider: true } });
  });

  it('says that nothing was sent when there is no token or no server', async () => {
    const gone = await closedUrl();
    provider = createProvider('vertex', entryOf(server, { token_url: gone }));
    expect(await execute()).toMatchObject({
      ok: false,
      body: null,
      failure: { kind: 'connection', reachedProvider: false },
    });
    provider = createProvider('vertex', entryOf(server, { base_url: gone }));
    expect(await execute()).toMatchObject({ ok: false, failure: { kind: 'connection', reachedProvider: false } });
  });
});
