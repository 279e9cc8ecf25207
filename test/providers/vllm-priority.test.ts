import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { HttpClient } from '../../src/ports/http-client.ts';
import { createProvider } from './kinds.ts';
import { httpAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const ANSWER = JSON.stringify({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
const error = (message: unknown, code: number) => JSON.stringify({ error: { message, type: 'BadRequestError', code } });

/** What servers say that do not take a priority. */
const REFUSALS: [server: string, status: number, body: string][] = [
  ['vLLM', 400, error('Got priority 10 but Priority scheduling is not enabled.', 400)],
  [
    'older vLLM',
    400,
    '{"object":"error","message":"Got priority 10 but Priority scheduling is not enabled.","code":400}',
  ],
  [
    'SGLang',
    503,
    error('Using priority is disabled for this server. Please send a new request without a priority.', 503),
  ],
  [
    'a server that takes no unknown field',
    400,
    error("[{'type': 'extra_forbidden', 'loc': ('body', 'priority'), 'msg': 'Extra inputs are not permitted'}]", 400),
  ],
];

describe('the priority of batch lines', () => {
  let http: HttpClient | undefined;
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await http?.close();
    await server?.close();
  });

  const request = { endpoint: '/v1/chat/completions', model: 'm', body: '{"model":"m","messages":[]}' } as const;

  /** Sends batch lines at these moments to a server that answers a priority with `status` and `body`. */
  async function send(status: number, body: string, moments: number[], line: string = request.body) {
    server = await startScriptedServer(({ body: sent, socket }) =>
      socket.write('priority' in JSON.parse(sent) ? httpAnswer(status, body) : httpAnswer(200, ANSWER)),
    );
    http = createNodeHttpClient();
    const provider = createProvider('vllm', { base_urls: [`${server.url}/v1`], batch_priority: 10 });
    const call = {
      http,
      member: `${server.url}/v1`,
      timeoutMs: 5000,
      maxResponseBytes: 1e6,
      traffic: 'batch',
    } as const;
    const results = [];
    for (const nowMs of moments) {
      results.push(await provider.immediate?.execute({ ...request, body: line }, { ...call, nowMs }));
    }
    return { results, sent: server.requests.map(({ body: each }) => 'priority' in JSON.parse(each)) };
  }

  it.each(REFUSALS)('is left out at a server that refuses it: %s', async (_server, status, body) => {
    const { results, sent } = await send(status, body, [1_000, 2_000, 700_000]);
    expect(results.map((result) => result?.ok)).toEqual([true, true, true]);
    // Asked again when it may have been started anew.
    expect(sent).toEqual([true, false, false, true, false]);
  });

  it('is no reason to send a line twice that fails for another one, or states its own', async () => {
    const other = await send(400, error('max_tokens must be at least 1', 400), [1_000, 2_000]);
    expect(other.results.map((result) => result?.ok)).toEqual([false, false]);
    expect(other.sent).toEqual([true, true]);
    await http?.close();
    await server?.close();
    const passed = await send(503, error('The request is aborted by a higher priority request.', 503), [1_000]);
    expect(passed.sent).toEqual([true]);
    await http?.close();
    await server?.close();
    const own = await send(400, REFUSALS[0]?.[2] ?? '', [1_000], '{"model":"m","messages":[],"priority":3}');
    expect(own.results).toMatchObject([{ ok: false, failure: { kind: 'invalid_request' } }]);
    expect(own.sent).toEqual([true]);
  });
});
