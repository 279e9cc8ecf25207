import { once } from 'node:events';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../../../providers/shared/http-node.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../../../src/ports/http-client.ts';
import {
  httpAnswer,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
  until,
} from '../../scripted-server.ts';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './loopback-certificate.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(answer: (request: ScriptedRequest) => void): Promise<ScriptedServer> {
  const started = await startScriptedServer(answer);
  cleanups.push(() => started.close());
  return started;
}

function client(): HttpClient {
  const created = createNodeHttpClient();
  cleanups.push(() => created.close());
  return created;
}

function call(http: HttpClient, url: string, changes: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  const request = { method: 'POST', url, headers: {}, body: '{}', timeoutMs: 20_000, maxResponseBytes: 1e6 } as const;
  return http.request({ ...request, ...changes });
}

const text = ({ body }: HttpResponse): string => Buffer.from(body).toString('utf8');
const failure = (sent: Promise<unknown>): Promise<unknown> => sent.then(String, (error: unknown) => error);

describe('a connection', () => {
  it('that the server ends with its answer is not used again, and no call is lost on it', async () => {
    const { url, ...scripted } = await server(({ socket }) => {
      socket.end(httpAnswer(200, '{}', { connection: 'close' }));
    });
    const http = client();
    for (let sent = 0; sent < 20; sent += 1) expect((await call(http, url)).status).toBe(200);
    expect(scripted.requests).toHaveLength(20);
  });

  it('that the server ended while it was idle is left for another, and the call goes out once', async () => {
    const { url, requests, open } = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const http = client();
    await call(http, url);
    for (const socket of open) socket.end();
    await until(() => open.size === 0);
    expect((await call(http, url)).status).toBe(200);
    expect(requests).toHaveLength(2);
  });

  it('is given up when something comes that nobody asked for: it is not the answer to the next request', async () => {
    const scripted = await server(({ socket, path }) => socket.write(httpAnswer(200, path)));
    const http = client();
    await call(http, `${scripted.url}/a`);
    for (const socket of scripted.open) socket.write(httpAnswer(200, 'forged'));
    await until(() => scripted.open.size === 0);
    expect(text(await call(http, `${scripted.url}/b`))).toBe('/b');
    expect(scripted.accepted).toBe(2);
  });

  it('is given up after an answer with more behind it', async () => {
    const scripted = await server(({ socket, path }) =>
      socket.write(httpAnswer(200, path) + httpAnswer(200, 'forged')),
    );
    const http = client();
    expect(text(await call(http, `${scripted.url}/a`))).toBe('/a');
    expect(text(await call(http, `${scripted.url}/b`))).toBe('/b');
    expect(scripted.accepted).toBe(2);
  });

  it('is not used beyond the time that the server keeps it', async () => {
    const scripted = await server(({ socket }) => socket.write(httpAnswer(200, '{}', { 'keep-alive': 'timeout=2' })));
    const http = client();
    await call(http, scripted.url);
    await call(http, scripted.url);
    expect(scripted.accepted).toBe(2);
  });

  it('takes an interim answer that nobody asked for, and the answer in single bytes', async () => {
    const bytes = [...Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${httpAnswer(200, '{"a":"ä"}')}`)];
    const writeNext = ({ socket }: Pick<ScriptedRequest, 'socket'>): void => {
      const byte = bytes.shift();
      if (byte !== undefined) socket.write(Buffer.of(byte), () => setImmediate(writeNext, { socket }));
    };
    const scripted = await server(writeNext);
    expect(text(await call(client(), scripted.url))).toBe('{"a":"ä"}');
  });

  it('takes an answer that ends with the connection', async () => {
    const scripted = await server(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\n{"a":1}'));
    expect(text(await call(client(), scripted.url))).toBe('{"a":1}');
  });

  it('takes an answer that came before all of the request was read', async () => {
    const answered = new Set<unknown>();
    const early = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        answered.add(socket);
        socket.write(httpAnswer(413, 'too long'));
      });
    });
    early.listen(0, '127.0.0.1');
    await once(early, 'listening');
    cleanups.push(() => early.close());
    const url = `http://127.0.0.1:${(early.address() as AddressInfo).port}`;
    const http = client();
    for (let sent = 0; sent < 2; sent += 1) {
      const answer = await call(http, url, { body: Buffer.alloc(20e6, 0x20) });
      expect(answer.status).toBe(413);
    }
    expect(answered.size).toBe(2);
  });

  it('carries large bodies both ways whole', async () => {
    const body = Buffer.from(`{"text":"${'ä'.repeat(3e6)}"}`);
    const scripted = await server(({ socket, body: received }) => socket.write(httpAnswer(200, received)));
    const answer = await call(client(), scripted.url, { body, maxResponseBytes: 1e7 });
    expect(Buffer.from(answer.body).equals(body)).toBe(true);
  });

  it('sends no header that could begin another one', async () => {
    const { url, requests } = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const http = client();
    for (const headers of [{ 'x-a': 'b\r\nx-c: d' }, { 'x-a\r\nx-c': 'd' }, { 'x-a': 'Ł' }]) {
      expect(await failure(call(http, url, { headers }))).toMatchObject({ kind: 'connect', reached: false });
    }
    expect(requests).toHaveLength(0);
    await call(http, url, {
      headers: { 'Content-Length': '99', 'Transfer-Encoding': 'chunked', Host: 'other.example' },
    });
    expect(requests[0]?.headers).toMatchObject({ host: 'other.example', 'content-length': '2' });
    expect(requests[0]?.headers).not.toHaveProperty('transfer-encoding');
  });

  it('sends every request under its own method, headers and length, whichever came before it', async () => {
    const { url, requests } = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const http = client();
    const kept = Object.freeze({ 'x-a': 'kept' });
    const changed = { 'x-a': 'first' };
    await call(http, url, { headers: kept });
    await call(http, url, { headers: kept, body: '{"longer":1}' });
    await call(http, url, { headers: kept, method: 'PUT' });
    await call(http, `${url}/path`, { headers: kept });
    await call(http, url, { headers: changed });
    changed['x-a'] = 'second';
    await call(http, url, { headers: changed });
    expect(await failure(call(http, url, { headers: Object.freeze({ 'x-a': 'Ł' }) }))).toMatchObject({
      reached: false,
    });
    await call(http, url, { headers: kept });
    const seen = requests.map(({ method, path, headers }) => [method, path, headers['x-a'], headers['content-length']]);
    expect(seen).toEqual([
      ['POST', '/', 'kept', '2'],
      ['POST', '/', 'kept', '12'],
      ['PUT', '/', 'kept', '2'],
      ['POST', '/path', 'kept', '2'],
      ['POST', '/', 'first', '2'],
      ['POST', '/', 'second', '2'],
      ['POST', '/', 'kept', '2'],
    ]);
  });

  it('says a length of 0 where a method has a body by its meaning, and none where it has not', async () => {
    const { url, requests } = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const http = client();
    for (const method of ['POST', 'GET', 'DELETE'] as const) {
      await http.request({ method, url, headers: {}, timeoutMs: 20_000, maxResponseBytes: 1e6 });
    }
    expect(requests.map(({ headers }) => headers['content-length'])).toEqual(['0', undefined, undefined]);
  });
});

describe('a connection over TLS', () => {
  const trusted = getCACertificates('default');
  afterEach(() => setDefaultCACertificates(trusted));

  it('carries calls to a server that it trusts, and begins a later handshake where an earlier one ended', async () => {
    const resumed: boolean[] = [];
    const tls = createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, (incoming, answer) => {
      incoming.resume().on('end', () => {
        if (incoming.url === '/last') answer.setHeader('connection', 'close');
        answer.end(`${incoming.url}${'x'.repeat(100_000)}`);
      });
    });
    tls.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()));
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    cleanups.push(() => tls.close());
    const { port } = tls.address() as AddressInfo;
    const http = client();
    expect(await failure(call(http, `https://localhost:${port}/`))).toMatchObject({ kind: 'connect', reached: false });

    setDefaultCACertificates([...trusted, LOOPBACK_CERTIFICATE]);
    resumed.length = 0;
    for (const host of ['localhost', 'localhost', '127.0.0.1']) {
      for (const path of ['/first', '/last']) {
        expect(text(await call(http, `https://${host}:${port}${path}`))).toBe(path + 'x'.repeat(100_000));
      }
    }
    expect(resumed).toEqual([false, true, false]);
  });

  it('does not carry a call to a server with the name of another', async () => {
    setDefaultCACertificates([...trusted, LOOPBACK_CERTIFICATE]);
    const tls = createTlsServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, (socket) =>
      socket.on('error', () => {}),
    );
    tls.listen(0, '127.0.0.2');
    await once(tls, 'listening');
    cleanups.push(() => tls.close());
    const url = `https://127.0.0.2:${(tls.address() as AddressInfo).port}`;
    expect(await failure(call(client(), url))).toMatchObject({
      kind: 'connect',
      reached: false,
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
  });
});
