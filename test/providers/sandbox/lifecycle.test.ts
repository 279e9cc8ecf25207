import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { chat, endedRequests, post, postChat, until, withServer } from './calls.ts';

const MAIN = fileURLToPath(new URL('../../../providers/sandbox/servers/main.ts', import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

test('a crash cuts what is in flight and refuses connections; a restart serves on the same port', async () => {
  await withServer({ latency_ms: 60_000, rate_hang: 0 }, async (server) => {
    const cut = Promise.allSettled([postChat(server, 'a'), postChat(server, 'b')]);
    await until(() => server.counters.running === 2);
    await server.crash();
    expect((await cut).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(server.counters).toMatchObject({ crash_cuts: 2, client_aborts: 0, running: 0 });
    const refused = await postChat(server, 'c').catch((error: unknown) => error as Error);
    expect((refused as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
    await server.crash();
    await server.restart();
    await server.restart();
    server.configure({ latency_ms: 0 });
    expect((await postChat(server, 'd')).status).toBe(200);
    expect(server.counters.received).toBe(3);
    expect(endedRequests(server.counters)).toBe(3);
  });
});

test('a server goes down and comes back many times with the same port', async () => {
  await withServer({}, async (server) => {
    const { url } = server;
    for (let round = 0; round < 10; round += 1) {
      expect((await postChat(server, `round ${round}`)).status).toBe(200);
      await server.crash();
      await server.restart();
    }
    expect(server.url).toBe(url);
    expect(server.counters.received).toBe(10);
  });
});

test('two servers cannot share a port and the second one says so', async () => {
  await withServer({}, async (server) => {
    await expect(withServer({ port: server.port }, async () => undefined)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});

test('requests are counted by a function, a header, a path or the hash of the body', async () => {
  const countBy = (body: Record<string, unknown>) => (typeof body.user === 'string' ? body.user : undefined);
  await withServer({ count_by: countBy, fail_until: 1 }, async (server) => {
    await postChat(server, 'x', { user: 'line-1' });
    await postChat(server, 'x', { user: 'line-1' });
    await postChat(server, 'x', { user: '__proto__' });
    await postChat(server, 'x');
    expect(server.counters.by_custom).toEqual(
      new Map([
        ['line-1', 2],
        ['__proto__', 1],
      ]),
    );
    expect(server.counters.answered_by_custom).toEqual(
      new Map([
        ['line-1', 1],
        ['__proto__', 1],
      ]),
    );

    server.configure({ count_by: { path: 'messages.0.content' } });
    server.reset();
    server.configure({ fail_until: null });
    await postChat(server, 'text');
    expect(server.counters.by_custom).toEqual(new Map([['text', 1]]));

    server.configure({ count_by: { header: 'X-Line' } });
    server.reset();
    await post(server, '/v1/chat/completions', chat('x'), { headers: { 'x-line': '7' } });
    expect(server.counters.by_custom).toEqual(new Map([['7', 1]]));

    server.configure({ count_by: 'sha256' });
    server.reset();
    await postChat(server, 'same');
    await postChat(server, 'same');
    await postChat(server, 'other');
    expect([...server.counters.by_custom.values()]).toEqual([2, 1]);
  });
});

test('the log keeps the last requests without their secrets', async () => {
  await withServer({ log_size: 2, rate_500: 0 }, async (server) => {
    for (const name of ['a', 'b', 'c']) {
      await post(server, '/v1/chat/completions', chat(name), {
        headers: { authorization: 'Bearer secret', 'x-line': name },
      });
    }
    expect(server.requests.map((entry) => entry.number)).toEqual([2, 3]);
    expect(server.requests[1]).toMatchObject({ method: 'POST', path: '/v1/chat/completions', status: 200 });
    expect(server.requests[1]?.headers).toMatchObject({ 'x-line': 'c' });
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual(chat('c'));
    expect(JSON.stringify(server.requests)).not.toContain('secret');
  });
});

test('another process reads counters and changes options over HTTP', async () => {
  await withServer({ api_key: 'key-1', log_size: 5 }, async (server) => {
    const control = async (action: string, body?: unknown) => {
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const response = await fetch(`${server.url}/__control/${action}`, init);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    expect(await control('configure', { rate_429: 1, api_key: null })).toMatchObject({
      status: 200,
      body: { rate_429: 1 },
    });
    expect((await postChat(server, 'x')).status).toBe(429);
    expect((await control('counters')).body).toMatchObject({ received: 1, by_status: { 429: 1 } });
    expect((await control('requests')).body).toMatchObject({ data: [{ number: 1, status: 429 }] });
    expect(await control('reset', {})).toMatchObject({ status: 200, body: { received: 0, by_status: {} } });
    const wrong = await control('configure', { slots: -1 });
    expect(wrong).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining('slots') } } });
    expect((await control('configure', null)).status).toBe(400);
    expect((await control('nothing')).status).toBe(404);
    await control('configure', { api_key: 'key-2' });
    expect(JSON.stringify((await control('settings')).body)).not.toContain('key-2');
    expect(server.counters).toMatchObject({ received: 0, other_requests: 0 });
  });
});

async function startChild(options: string): Promise<{ child: ChildProcess; line: Record<string, unknown> }> {
  const child = spawn(process.execPath, [MAIN, '--options', options], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, line: JSON.parse(line) as Record<string, unknown> };
}

test('the command serves in a process of its own until SIGTERM', async () => {
  const { child, line } = await startChild('{"models":["from-child"]}');
  const models = await (await fetch(`${line.base_url}/models`)).json();
  expect(models).toMatchObject({ data: [{ id: 'from-child' }] });
  expect(line).toMatchObject({ pid: child.pid, url: `http://127.0.0.1:${line.port}` });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('the command ends when its stdin closes, even with requests in flight', async () => {
  const { child, line } = await startChild('{"latency_ms":60000}');
  const cut = fetch(`${line.base_url}/chat/completions`, { method: 'POST', body: JSON.stringify(chat('x')) });
  const settled = cut.then(
    () => 'answered',
    () => 'cut',
  );
  await until(async () => {
    const counters = (await (await fetch(`${line.url}/__control/counters`)).json()) as { running: number };
    return counters.running === 1;
  });
  child.stdin?.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await settled).toBe('cut');
});

test('the command refuses wrong options with a message and no stack', async () => {
  for (const options of ['{"slotz":1}', 'nonsense']) {
    const child = spawn(process.execPath, [MAIN, '--options', options], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    let message = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      message += chunk.toString();
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(message).toMatch(/slotz|--options must be/);
    expect(message).not.toContain('    at ');
  }
});
