import { type AddressInfo, createServer } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createFetchHttpClient, toFailure } from '../../../providers/shared/http-fetch.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import { type HttpClient, HttpFailure, type HttpRequest } from '../../../src/ports/http-client.ts';
import {
  closedUrl,
  httpAnswer,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
  until,
} from '../scripted-server.ts';

const clients: [string, () => HttpClient][] = [
  ['Node.js', () => createNodeHttpClient()],
  ['fetch', () => createFetchHttpClient()],
];

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(answer: (request: ScriptedRequest) => void): Promise<ScriptedServer> {
  const started = await startScriptedServer(answer);
  cleanups.push(() => started.close());
  return started;
}

function request(url: string, changes: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'POST', url, headers: {}, body: '{}', timeoutMs: 10_000, maxResponseBytes: 1e6, ...changes };
}

async function failureOf(call: Promise<unknown>): Promise<HttpFailure> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof HttpFailure)) throw error;
  return error;
}

describe.each(clients)('the HTTP client over %s', (_name, create) => {
  function client(): HttpClient {
    const created = create();
    cleanups.push(() => created.close());
    return created;
  }

  it('sends method, path, query, headers and body, and reads status, headers and body', async () => {
    const { url, requests } = await server(({ socket }) =>
      socket.write(httpAnswer(418, 'short and stout', { 'X-Request-ID': 'r1', 'Set-Cookie': 'a=1' })),
    );
    const answer = await client().request(
      request(`${url}/v1/chat?api-version=1`, { headers: { 'x-sent': 'yes' }, body: '{"größe":1}' }),
    );
    expect(answer.status).toBe(418);
    expect(answer.headers['x-request-id']).toBe('r1');
    expect(new TextDecoder().decode(answer.body)).toBe('short and stout');
    expect(requests[0]).toMatchObject({ method: 'POST', path: '/v1/chat?api-version=1', body: '{"größe":1}' });
    expect(requests[0]?.headers['x-sent']).toBe('yes');
  });

  it('resolves with an empty body', async () => {
    const { url } = await server(({ socket }) => socket.write(httpAnswer(200, '')));
    const { body: _body, ...get } = request(url, { method: 'GET' });
    const answer = await client().request(get);
    expect(answer.body.length).toBe(0);
  });

  it('does not follow a redirect, so that credentials stay with the configured origin', async () => {
    const elsewhere = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const { url } = await server(({ socket }) => socket.write(httpAnswer(307, '', { location: elsewhere.url })));
    const answer = await client().request(request(url, { headers: { authorization: 'Bearer sk-secret' } }));
    expect(answer.status).toBe(307);
    expect(elsewhere.requests).toHaveLength(0);
  });

  it('says that a refused connection never reached the server', async () => {
    const failure = await failureOf(client().request(request(await closedUrl())));
    expect(failure).toMatchObject({ kind: 'connect', reached: false, message: 'no connection (ECONNREFUSED)' });
  });

  it('gives up at the deadline when the server never answers', async () => {
    const { url } = await server(() => {});
    const started = performance.now();
    const failure = await failureOf(client().request(request(url, { timeoutMs: 800 })));
    expect(failure).toMatchObject({ kind: 'timeout', reached: true });
    expect(performance.now() - started).toBeGreaterThan(790);
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('gives up at the deadline when the body drips for ever', async () => {
    const { url } = await server(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
      const timer = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const failure = await failureOf(client().request(request(url, { timeoutMs: 300 })));
    expect(failure).toMatchObject({ kind: 'timeout', reached: true });
  });

  it('reports a reset before the answer', async () => {
    const { url } = await server(({ socket }) => socket.resetAndDestroy());
    expect(await failureOf(client().request(request(url)))).toMatchObject({ kind: 'reset', reached: true });
  });

  it('reports a reset in the middle of the body', async () => {
    const { url } = await server(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"half":', () => socket.resetAndDestroy());
    });
    expect(await failureOf(client().request(request(url)))).toMatchObject({ kind: 'reset', reached: true });
  });

  it('does not take a body that ends early for a whole one', async () => {
    const { url } = await server(({ socket }) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"half":'));
    expect(await failureOf(client().request(request(url)))).toMatchObject({ kind: 'reset', reached: true });
  });

  it('reports an answer that is not HTTP', async () => {
    const { url } = await server(({ socket }) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    expect(await failureOf(client().request(request(url)))).toMatchObject({ kind: 'reset', reached: true });
  });

  it.each([
    ['announced by its length', 'content-length: 5000\r\n\r\n'],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n1388\r\n'],
  ])('refuses an answer above the limit, %s', async (_how, head) => {
    const { url } = await server(({ socket }) => socket.write(`HTTP/1.1 200 OK\r\n${head}${'x'.repeat(5000)}`));
    const failure = await failureOf(client().request(request(url, { maxResponseBytes: 4999 })));
    expect(failure).toMatchObject({ kind: 'too_large', reached: true });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])(
    'reads an answer that a proxy compressed, unasked, by %s: whole, and piece by piece',
    async (encoding, compress) => {
      const text = '{"text":"ä four"}';
      const { url } = await server(({ socket }) => {
        const body = compress(text);
        const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`;
        socket.write(Buffer.concat([Buffer.from(head), body]));
      });
      const answer = await client().request(request(url));
      expect(Buffer.from(answer.body).toString()).toBe(text);
      const { body } = await client().stream(request(url));
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe(text);
    },
  );

  it('reads an answer of 50 MB', async () => {
    const body = 'x'.repeat(50e6);
    const { url } = await server(({ socket }) => socket.write(httpAnswer(200, body)));
    const answer = await client().request(request(url, { maxResponseBytes: 50e6 }));
    expect(answer.body.length).toBe(50e6);
  });

  it('ends every call of a signal that is aborted, and no other', async () => {
    const held: ScriptedRequest[] = [];
    const { url } = await server((arrived) => held.push(arrived));
    const controller = new AbortController();
    const http = client();
    const aborted = [1, 2, 3].map(() => failureOf(http.request(request(url, { signal: controller.signal }))));
    const spared = http.request(request(`${url}/spared`, { signal: new AbortController().signal }));
    await until(() => held.length === 4);
    controller.abort();
    for (const failure of await Promise.all(aborted)) expect(failure).toMatchObject({ kind: 'aborted', reached: true });
    held.find(({ path }) => path === '/spared')?.socket.write(httpAnswer(200, '{}'));
    expect((await spared).status).toBe(200);
  });

  it('has sent nothing to a server that does not speak TLS where that was expected', async () => {
    const plain = createServer((socket) => socket.on('error', () => undefined).end(httpAnswer(400, '')));
    await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
    cleanups.push(async () => void plain.close());
    const { port } = plain.address() as AddressInfo;
    const failure = await failureOf(client().request(request(`https://127.0.0.1:${port}/v1`)));
    expect(failure).toMatchObject({ kind: 'connect', reached: false });
  });

  it('does not send a call whose signal is aborted already', async () => {
    const { url, requests } = await server(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const failure = await failureOf(client().request(request(url, { signal: AbortSignal.abort() })));
    expect(failure).toMatchObject({ kind: 'aborted', reached: false });
    expect(requests).toHaveLength(0);
  });

  it('fails calls in flight and later ones when it is closed', async () => {
    const { url, requests } = await server(() => {});
    const http = client();
    const inFlight = failureOf(http.request(request(url)));
    await until(() => requests.length === 1);
    await http.close();
    expect((await inFlight).kind).toBe('aborted');
    expect(await failureOf(http.request(request(url)))).toMatchObject({ kind: 'aborted', reached: false });
  });
});

describe('what a fetch fails with', () => {
  const failed = (code: string) =>
    toFailure(new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }), false, false);

  it.each([
    ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ENOTFOUND'],
    ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ])('%s says that nothing was sent', (code) => {
    expect(failed(code)).toMatchObject({ kind: 'connect', reached: false, message: `no connection (${code})` });
  });

  it.each(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'EPROTO'])('%s leaves open whether it arrived', (code) => {
    expect(failed(code)).toMatchObject({ kind: 'reset', reached: true });
  });
});
