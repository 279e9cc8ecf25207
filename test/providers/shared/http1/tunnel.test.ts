import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createNodeHttpClient } from '../../../../providers/shared/http-node.ts';
import { type HttpProxy, readProxies } from '../../../../src/core/proxies.ts';
import type { HttpClient } from '../../../../src/ports/http-client.ts';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './loopback-certificate.ts';

const cleanups: (() => unknown)[] = [];
const trusted = getCACertificates('default');
beforeEach(() => setDefaultCACertificates([...trusted, LOOPBACK_CERTIFICATE]));
afterEach(async () => {
  setDefaultCACertificates(trusted);
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket.on('error', () => undefined));
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Asked {
  what: string;
  authorization: string | undefined;
}

/** A proxy that leads where it is asked to, at `port` whatever the name, and what it was asked. */
async function startProxy(port: number, { isTls = false } = {}): Promise<{ proxy: HttpProxy; asked: Asked[] }> {
  const asked: Asked[] = [];
  const note = (what: string, headers: Record<string, unknown>) =>
    asked.push({ what, authorization: headers['proxy-authorization'] as string | undefined });
  const options = { key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE };
  const server = isTls ? createTlsServer(options) : createServer();
  server.on('request', (incoming, answer) => {
    note(`${incoming.method} ${incoming.url}`, incoming.headers);
    incoming.resume().on('end', () => answer.end('from the proxy'));
  });
  server.on('connect', (incoming, client: Socket, head: Buffer) => {
    note(`CONNECT ${incoming.url}`, incoming.headers);
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(client).pipe(target);
    });
    for (const socket of [target, client]) socket.on('error', () => undefined);
    client.on('close', () => target.destroy());
  });
  const address = `${isTls ? 'https' : 'http'}://user:pass@localhost:${await listen(server as Server)}`;
  const read = readProxies({ ALL_PROXY: address });
  if (!read.ok || !read.value?.https) throw new Error('no proxy was read');
  return { proxy: read.value.https, asked };
}

/** A TLS server of the name `localhost`, which answers with what it was asked. */
async function startTarget(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createTlsServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, (incoming, answer) => {
    const said = `${incoming.url} ${incoming.headers['proxy-authorization'] ?? 'no password'} `;
    const takesMs = incoming.url === '/slow' ? 600 : 0;
    incoming.resume().on('end', () => setTimeout(() => answer.end(said + 'x'.repeat(100_000)), takesMs));
  });
  server.on('secureConnection', () => {
    connections += 1;
  });
  return { port: await listen(server as unknown as Server), connections: () => connections };
}

function clientThrough(proxy: HttpProxy): HttpClient {
  const client = createNodeHttpClient({
    proxies: { of: () => proxy, http: proxy, https: proxy, environment: { no_proxy: '' } },
  });
  cleanups.push(() => client.close());
  return client;
}

const asked = (url: string) =>
  ({ method: 'POST', url, headers: {}, body: '{}', timeoutMs: 20_000, maxResponseBytes: 1e6 }) as const;
const failure = (sent: Promise<unknown>): Promise<unknown> => sent.then(String, (error: unknown) => error);
const PASSWORD = `Basic ${btoa('user:pass')}`;

describe('a way through a proxy', () => {
  it.each([{ isTls: false }, { isTls: true }])(
    'leads to servers by TLS in tunnels, which are used again: %j',
    async (kind) => {
      const target = await startTarget();
      const { proxy, asked: wanted } = await startProxy(target.port, kind);
      const http = clientThrough(proxy);
      for (const path of ['/a', '/b', '/c']) {
        const { status, body } = await http.request(asked(`https://localhost${path}`));
        expect([status, Buffer.from(body).toString()]).toEqual([200, `${path} no password ${'x'.repeat(100_000)}`]);
      }
      expect(target.connections()).toBe(1);
      expect(wanted).toEqual([{ what: 'CONNECT localhost:443', authorization: PASSWORD }]);
    },
  );

  it('waits for answers longer than for a connection', async () => {
    const { setTimeout: setTimer } = Socket.prototype;
    // A fortieth of the time that a connection may take: of 10 s.
    vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (this: Socket, ms, told) {
      return setTimer.call(this, ms / 40, told);
    });
    cleanups.push(() => vi.restoreAllMocks());
    const target = await startTarget();
    const { proxy } = await startProxy(target.port);
    const { status, body } = await clientThrough(proxy).request(asked('https://localhost/slow'));
    expect([status, body.length]).toEqual([200, 100_018]);
  });

  it('carries many calls at once, and streams', async () => {
    const target = await startTarget();
    const { proxy, asked: wanted } = await startProxy(target.port);
    const http = clientThrough(proxy);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => http.request(asked(`https://localhost/${n}`))),
    );
    answers.forEach(({ body }, n) => {
      expect(Buffer.from(body).toString()).toMatch(`/${n} no password`);
    });
    const { body } = await http.stream(asked('https://localhost/stream'));
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toMatch('/stream no password');
    expect(wanted).toHaveLength(41);
    expect(wanted.every(({ authorization }) => authorization === PASSWORD)).toBe(true);
  });

  it('leads to servers without TLS by their whole address', async () => {
    const { proxy, asked: wanted } = await startProxy(0);
    const http = clientThrough(proxy);
    const { body } = await http.request(asked('http://pool.example:8000/v1/models?a=b'));
    expect(Buffer.from(body).toString()).toBe('from the proxy');
    expect(wanted).toEqual([{ what: 'POST http://pool.example:8000/v1/models?a=b', authorization: PASSWORD }]);
  });

  it.each([
    [
      'refuses',
      'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n',
      'the proxy refuses with 407',
    ],
    ['is none', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 'the proxy answers with no HTTP'],
    ['closes', '', 'the proxy closed the connection'],
  ])('that %s fails the call before it reached anybody, and says so', async (_name, answer, reason) => {
    const port = await listen(createTcpServer((socket) => socket.once('data', () => socket.end(answer))));
    const proxy = { isTls: false, hostname: '127.0.0.1', port, authorization: null, url: `http://127.0.0.1:${port}` };
    expect(await failure(clientThrough(proxy).request(asked('https://localhost/')))).toMatchObject({
      kind: 'connect',
      reached: false,
      message: `no connection (${reason})`,
    });
  });

  it('does not carry a call to a server with the name of another', async () => {
    const target = await startTarget();
    const { proxy } = await startProxy(target.port);
    expect(await failure(clientThrough(proxy).request(asked('https://other.example/')))).toMatchObject({
      kind: 'connect',
      reached: false,
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
  });

  it('is not waited for longer than a call has time', async () => {
    const port = await listen(createTcpServer(() => undefined));
    const proxy = { isTls: false, hostname: '127.0.0.1', port, authorization: null, url: `http://127.0.0.1:${port}` };
    const sent = clientThrough(proxy).request({ ...asked('https://localhost/'), timeoutMs: 300 });
    expect(await failure(sent)).toMatchObject({ kind: 'timeout', reached: false });
  });
});
