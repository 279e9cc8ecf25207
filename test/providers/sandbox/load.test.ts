import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { SimulatedServer } from '../../../providers/sandbox/servers/openai-compatible.ts';
import { chat, endedRequests, post, postChat, until, withServer } from './calls.ts';

const LONG_MS = 60_000;

function abortable(server: SimulatedServer, content: string): { abort: () => void; ended: Promise<string> } {
  const controller = new AbortController();
  const answer = post(server, '/v1/chat/completions', chat(content), { signal: controller.signal });
  const ended = answer.then(
    (response) => String(response.status),
    () => 'gone',
  );
  return { abort: () => controller.abort(), ended };
}

test('latency is fixed, drawn from a range, or grows with the tokens', async () => {
  await withServer({ latency_ms: 60 }, async (server) => {
    const timed = async (more: Record<string, unknown> = {}) => {
      const started = performance.now();
      await (await postChat(server, 'x', more)).text();
      return performance.now() - started;
    };
    expect(await timed()).toBeGreaterThan(55);
    server.configure({ latency_ms: { min: 30, max: 40 } });
    expect(await timed()).toBeGreaterThan(25);
    server.configure({ latency_ms: { base: 10, per_token: 10 } });
    expect(await timed({ max_tokens: 10 })).toBeGreaterThan(100);
    expect(await timed({ max_tokens: 10, stream: true })).toBeGreaterThan(80);
  });
});

test('at most `slots` requests run at once and the others wait their turn', async () => {
  await withServer({ slots: 3, latency_ms: 10 }, async (server) => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => postChat(server, `q${index}`)));
    expect(answers.map((answer) => answer.status)).toEqual(Array(12).fill(200));
    expect(server.counters).toMatchObject({ max_running: 3, running: 0, waiting: 0 });
    expect(server.counters.max_waiting).toBeGreaterThan(0);
  });
});

test.each([
  ['openai', 429, { error: { code: 'rate_limit_exceeded' } }],
  ['vllm', 503, { error: { code: 503, type: 'ServiceUnavailableError' } }],
  ['tgi', 429, { error: 'Model is overloaded', error_type: 'overloaded' }],
  ['ollama', 503, { error: { message: expect.stringContaining('maximum pending requests exceeded') } }],
] as const)('a full queue is refused in the words of %s with %i', async (overflow, status, body) => {
  await withServer({ slots: 1, queue: 1, latency_ms: LONG_MS, overflow, retry_after: 'seconds' }, async (server) => {
    const running = abortable(server, 'first');
    await until(() => server.counters.running === 1);
    const waiting = abortable(server, 'second');
    await until(() => server.counters.waiting === 1);
    const refused = await postChat(server, 'third');
    expect(refused.status).toBe(status);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject(body);
    server.configure({ overflow_status: status === 429 ? 503 : 429 });
    expect((await postChat(server, 'fourth')).status).toBe(status === 429 ? 503 : 429);
    running.abort();
    waiting.abort();
    await until(() => server.counters.running === 0);
    expect(server.counters).toMatchObject({ client_aborts: 2, waiting: 0 });
  });
});

test('a client that goes away frees its slot or its place in the queue', async () => {
  await withServer({ slots: 1, latency_ms: LONG_MS }, async (server) => {
    const running = abortable(server, 'running');
    await until(() => server.counters.running === 1);
    const waiting = abortable(server, 'waiting');
    await until(() => server.counters.waiting === 1);
    const next = postChat(server, 'next');
    await until(() => server.counters.waiting === 2);
    waiting.abort();
    await until(() => server.counters.waiting === 1);
    expect(server.counters.running).toBe(1);
    server.configure({ latency_ms: 0 });
    running.abort();
    expect((await next).status).toBe(200);
    expect(await running.ended).toBe('gone');
    expect(server.counters).toMatchObject({ client_aborts: 2, running: 0, waiting: 0 });
    expect(endedRequests(server.counters)).toBe(3);
  });
});

test('requests pipelined on one connection all free their slots when it closes', async () => {
  await withServer({ slots: 2, latency_ms: LONG_MS }, async (server) => {
    const socket = connect(server.port, '127.0.0.1');
    const body = JSON.stringify(chat('x'));
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
    socket.write((head + body).repeat(4));
    await until(() => server.counters.running === 2 && server.counters.waiting === 2);
    socket.destroy();
    await until(() => server.counters.running === 0 && server.counters.waiting === 0);
    expect(server.counters.client_aborts).toBe(4);
  });
});

test('a request cut off before its body is complete is not counted', async () => {
  await withServer({}, async (server) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"messages"');
    await once(socket, 'connect');
    socket.destroy();
    expect((await postChat(server, 'x')).status).toBe(200);
    expect(server.counters.received).toBe(1);
  });
});

test('more slots start waiting requests at once, and thousands of them at no latency', async () => {
  await withServer({ slots: 1, latency_ms: LONG_MS }, async (server) => {
    const first = abortable(server, 'first');
    await until(() => server.counters.running === 1);
    const others = Array.from({ length: 500 }, (_, index) => postChat(server, `q${index}`));
    await until(() => server.counters.waiting === 500);
    server.configure({ latency_ms: 0, slots: 2 });
    const statuses = (await Promise.all(others)).map((answer) => answer.status);
    expect(statuses).toEqual(Array(500).fill(200));
    expect(server.counters.max_running).toBe(2);
    first.abort();
    await first.ended;
  });
});

test('the metrics of vLLM add up over its engines', async () => {
  await withServer({ slots: 4, latency_ms: LONG_MS, models: ['sim-small'] }, async (server) => {
    const held = Array.from({ length: 7 }, (_, index) => abortable(server, `q${index}`));
    await until(() => server.counters.running === 4 && server.counters.waiting === 3);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain('vllm:num_requests_running{engine="0",model_name="sim-small"} 2');
    expect(text).toContain('vllm:num_requests_running{engine="1",model_name="sim-small"} 2');
    expect(text).toContain('vllm:num_requests_waiting{engine="0",model_name="sim-small"} 2');
    expect(text).toContain('vllm:num_requests_waiting{engine="1",model_name="sim-small"} 1');
    expect(text).toContain('vllm:kv_cache_usage_perc{engine="1",model_name="sim-small"} 1');
    for (const request of held) request.abort();
    await until(() => server.counters.running === 0);
    server.configure({ latency_ms: 0, usage: 'cached', kv_cache_usage: 0.25 });
    await postChat(server, 'word '.repeat(8));
    const later = await (await fetch(`${server.url}/metrics`)).text();
    expect(later).toContain('vllm:request_success_total{engine="0",finished_reason="stop",model_name="sim-small"} 1');
    expect(later).toContain('vllm:prefix_cache_queries_total{engine="0",model_name="sim-small"} 5');
    expect(later).toContain('vllm:prefix_cache_hits_total{engine="0",model_name="sim-small"} 3');
    expect(later).toContain('vllm:kv_cache_usage_perc{engine="0",model_name="sim-small"} 0.25');
  });
});

test.each([
  ['vllm_v0', 'vllm:gpu_cache_usage_perc{engine="0",model_name="sim-small"} 0'],
  ['sglang', 'sglang:num_running_reqs{model_name="sim-small"} 0'],
  ['tgi', 'tgi_queue_size 0'],
  ['llamacpp', 'llamacpp:requests_processing 0'],
] as const)('the metrics of %s have their own names', async (metrics, line) => {
  await withServer({ metrics }, async (server) => {
    expect((await (await fetch(`${server.url}/metrics`)).text()).split('\n')).toContain(line);
  });
});

test('health and metrics can be turned off', async () => {
  await withServer({}, async (server) => {
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    server.configure({ health_status: 503, metrics: 'none' });
    expect((await fetch(`${server.url}/health`)).status).toBe(503);
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
    expect(server.counters).toMatchObject({ received: 0, other_requests: 3 });
  });
});
