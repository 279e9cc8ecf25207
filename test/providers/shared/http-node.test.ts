import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { HttpClient, HttpFailure, HttpRequest } from '../../../src/ports/http-client.ts';
import {
  httpAnswer,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
  until,
} from '../scripted-server.ts';

let http: HttpClient | undefined;
let server: ScriptedServer | undefined;
afterEach(async () => {
  await http?.close();
  await server?.close();
});

function call(client: HttpClient, url: string, changes: Partial<HttpRequest> = {}) {
  return client.request({
    method: 'POST',
    url,
    headers: {},
    body: '{}',
    timeoutMs: 20_000,
    maxResponseBytes: 1e6,
    ...changes,
  });
}

/** How many of a hundred calls, one after another, fail. */
async function manyCalls(client: HttpClient, url: string): Promise<number> {
  let failed = 0;
  for (let sent = 0; sent < 100; sent += 1) {
    await call(client, url).catch(() => {
      failed += 1;
    });
  }
  return failed;
}

describe('connections of the client of Node.js', () => {
  it('are reused by calls that follow one another', async () => {
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')));
    http = createNodeHttpClient();
    for (let sent = 0; sent < 50; sent += 1) await call(http, server.url);
    expect(server.accepted).toBe(1);
  });

  it('that a server closes without a word cost few calls: for a while each has a connection of its own', async () => {
    let isQuiet = true;
    server = await startScriptedServer(({ socket }) => {
      if (server?.requests.length === 2) socket.destroy();
      else if (isQuiet) socket.write(httpAnswer(200, '{}'));
      else socket.end(httpAnswer(200, '{}'));
    });
    const client = createNodeHttpClient();
    http = client;
    const { url } = server;
    await call(client, url);
    await expect(call(client, url)).rejects.toMatchObject({ kind: 'reset', reached: true });
    for (let sent = 0; sent < 100; sent += 1) await call(client, url);
    expect(server.accepted).toBe(1 + 64 + 1);

    isQuiet = false;
    const failed = await Promise.all(Array.from({ length: 4 }, () => manyCalls(client, url)));
    // Each time that it is tried again whether connections last, those under way at that moment may be lost.
    expect(failed.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(16);
  });

  it('that have answered at once get their next requests before all of the answers are read', async () => {
    const held: ScriptedRequest[] = [];
    server = await startScriptedServer((request) => held.push(request));
    const { url } = server;
    const client = createNodeHttpClient();
    http = client;
    const writes = vi.spyOn(Socket.prototype, 'write');
    try {
      /** By answer, in the order in which they were read: how many of the next requests were written by then. */
      const written: number[] = [];
      let isNext = false;
      const callTwice = async (): Promise<void> => {
        await call(client, url);
        const next = call(client, url);
        if (isNext) written.push(writes.mock.calls.length);
        await next;
      };
      const calls = Array.from({ length: 64 }, callTwice);
      await until(() => held.length === 64);
      for (const { socket } of held.splice(0)) socket.write(httpAnswer(200, '{}'));
      writes.mockClear();
      isNext = true;
      await until(() => held.length === 64);
      for (const { socket } of held) socket.write(httpAnswer(200, '{}'));
      await Promise.all(calls);
      expect(server.accepted).toBe(64);
      expect(written).toHaveLength(64);
      expect(written.at(-1)).toBeGreaterThanOrEqual(48);
    } finally {
      writes.mockRestore();
    }
  });

  it('carry 1,000 calls at once to one origin', async () => {
    const held: ScriptedRequest[] = [];
    server = await startScriptedServer((request) => {
      held.push(request);
      if (held.length === 1000) for (const { socket } of held) socket.write(httpAnswer(200, '{}'));
    });
    const { url } = server;
    const client = createNodeHttpClient();
    http = client;
    const answers = await Promise.all(Array.from({ length: 1000 }, () => call(client, url)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });

  it('are at most as many as allowed; further calls wait and are then served in order', async () => {
    const held: ScriptedRequest[] = [];
    server = await startScriptedServer((request) => held.push(request));
    const client = createNodeHttpClient({ maxConnectionsPerOrigin: 2 });
    http = client;
    const { url } = server;
    const calls = ['/1', '/2', '/3', '/4'].map((path) => call(client, url + path));
    const answered: string[] = [];
    while (answered.length < 4) {
      await until(() => held.length > 0);
      expect(held.length).toBeLessThanOrEqual(2);
      const next = held.shift();
      answered.push(next?.path ?? '');
      next?.socket.write(httpAnswer(200, '{}'));
    }
    await Promise.all(calls);
    expect(answered.slice(2)).toEqual(['/3', '/4']);
    expect(server.accepted).toBe(2);
  });

  it('say that a call which timed out while waiting never left', async () => {
    server = await startScriptedServer(() => {});
    const client = createNodeHttpClient({ maxConnectionsPerOrigin: 1 });
    http = client;
    const outcomes = await Promise.allSettled([1, 2].map(() => call(client, server?.url ?? '', { timeoutMs: 300 })));
    const reached = outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as HttpFailure).reached);
    expect(reached).toEqual([true, false]);
    expect(server.requests).toHaveLength(1);
  });

  it('come back after the server was away', async () => {
    server = await startScriptedServer(({ socket }) => socket.resetAndDestroy());
    http = createNodeHttpClient({ maxConnectionsPerOrigin: 1 });
    for (let failed = 0; failed < 3; failed += 1) await expect(call(http, server.url)).rejects.toThrow('broke');
    const { port } = new URL(server.url);
    await server.close();
    await expect(call(http, server.url)).rejects.toThrow('no connection');
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')), Number(port));
    expect((await call(http, server.url)).status).toBe(200);
  });

  it('survive an informational answer before the real one', async () => {
    server = await startScriptedServer(({ socket }) =>
      socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${httpAnswer(200, '{"a":1}')}`),
    );
    http = createNodeHttpClient();
    expect(new TextDecoder().decode((await call(http, server.url)).body)).toBe('{"a":1}');
  });

  it('are all ended by close', async () => {
    server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const client = createNodeHttpClient();
    const { url, open } = server;
    await Promise.all(Array.from({ length: 20 }, () => call(client, url)));
    expect(open.size).toBeGreaterThan(0);
    await client.close();
    await until(() => open.size === 0);
  });

  it('that never finish their TLS handshake count as never made, and are ended by close too', async () => {
    const { promise: accepted, resolve } = Promise.withResolvers<void>();
    const silent = createServer((socket) => {
      open.add(socket);
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
      resolve();
    });
    const open = new Set<Socket>();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const client = createNodeHttpClient();
    const failure = await call(client, url, { timeoutMs: 200 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'timeout', reached: false });
    await accepted;
    const inFlight = call(client, url).catch((error: unknown) => error);
    await until(() => open.size > 0);
    await client.close();
    expect(await inFlight).toMatchObject({ kind: 'aborted', reached: false });
    await until(() => open.size === 0);
    silent.close();
  });
});
