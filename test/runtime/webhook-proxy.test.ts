import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readProxies } from '../../src/core/proxies.ts';
import type { WebhookSender } from '../../src/ports/webhook-sender.ts';
import { createWebhookSender, type WebhookWays } from '../../src/runtime/webhook-sender.ts';
import { HOOKS_CERTIFICATE, HOOKS_KEY } from './webhook-certificate.ts';

const trusted = getCACertificates('default');
const PASSWORD = `Basic ${btoa('user:pass')}`;
const cleanups: (() => unknown)[] = [];
/** What the proxy was asked for, and by which password. */
let asked: string[];
/** What came to the endpoint: name of TLS, host and what else a proxy's password would be in. */
let came: unknown[];
let proxyPort: number;
/** What the proxy says in place of leading on; null: it leads. */
let refusal: string | null;

/** A TLS server of the name hooks.example, and a proxy that leads there whatever it is asked for. */
beforeEach(async () => {
  setDefaultCACertificates([...trusted, HOOKS_CERTIFICATE]);
  asked = [];
  came = [];
  refusal = null;
  const endpoint = createTlsServer({ key: HOOKS_KEY, cert: HOOKS_CERTIFICATE }, (request, response) => {
    const { servername } = request.socket as unknown as { servername: string };
    came.push([servername, request.headers.host, request.headers['proxy-authorization']]);
    request.resume().on('end', () => response.end());
  });
  const port = await listen(endpoint as unknown as Server);
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  proxy.on('connect', (request, client: Socket, head: Buffer) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
    client.on('error', () => undefined);
    if (refusal !== null) return client.end(refusal);
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(client).pipe(target);
    });
    target.on('error', () => undefined);
    client.on('close', () => target.destroy());
  });
  proxyPort = await listen(proxy);
});
afterEach(async () => {
  setDefaultCACertificates(trusted);
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => open.add(socket));
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** `addresses`: of every name; null: no name resolves here. */
function open(addresses: readonly string[] | null, ways: WebhookWays & { allowed?: string[]; direct?: string } = {}) {
  const read = readProxies({ ALL_PROXY: `http://user:pass@127.0.0.1:${proxyPort}`, NO_PROXY: ways.direct });
  if (!read.ok) throw new Error('no proxy was read');
  const resolve = async () => {
    if (addresses === null) throw Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  const sender = createWebhookSender(new Set(ways.allowed), { resolve, ...ways, proxies: read.value });
  cleanups.push(() => sender.close());
  return sender;
}

const post = (sender: WebhookSender, url: string) =>
  sender.post({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}', signal: new AbortController().signal });

describe('the way to webhooks through a proxy', () => {
  it('leads to the address that was looked at, by TLS with the server of the name', async () => {
    const sender = open(['2606:2800:220:1::1', '93.184.216.34']);
    await sender.check('https://hooks.example/x');
    expect(await post(sender, 'https://hooks.example/x')).toEqual({ status: 200 });
    expect(asked).toEqual([`CONNECT 93.184.216.34:443 ${PASSWORD}`]);
    expect(came).toEqual([['hooks.example', 'hooks.example', undefined]]);
    await expect(post(sender, 'https://other.example:8443/x')).rejects.toMatchObject({
      kind: 'connect',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    expect(asked[1]).toBe(`CONNECT 93.184.216.34:8443 ${PASSWORD}`);
    expect(came).toHaveLength(1);
  });

  it.each([{ proxyResolves: false }, { proxyResolves: true }])(
    'asks the proxy for nothing inside, by address or by name: %j',
    async (ways) => {
      for (const address of ['10.0.0.1', '127.0.0.1', '169.254.169.254', '::1', '::ffff:10.0.0.1', 'fd00::1']) {
        for (const addresses of [[address], ['93.184.216.34', address]]) {
          const sender = open(addresses, ways);
          await expect(sender.check('https://hooks.example/x')).rejects.toThrow('public internet');
          await expect(post(sender, 'https://hooks.example/x')).rejects.toThrow('public internet');
        }
        const literal = `https://${address.includes(':') ? `[${address}]` : address}/x`;
        await expect(post(open(null, ways), literal)).rejects.toThrow('public internet');
      }
      for (const name of ['localhost', 'metadata.google.internal', 'printer', 'nas.local']) {
        await expect(post(open(null, ways), `https://${name}/x`)).rejects.toThrow('public internet');
      }
      expect([asked, came]).toEqual([[], []]);
    },
  );

  it('by its name only where the operator says that the proxy resolves names', async () => {
    const careful = open(null);
    await expect(careful.check('https://hooks.example/x')).rejects.toThrow(
      /does not resolve.*webhooks\.proxy_resolves/,
    );
    await expect(post(careful, 'https://hooks.example/x')).rejects.toMatchObject({ kind: 'connect', reached: false });
    expect(asked).toEqual([]);
    const trusting = open(null, { proxyResolves: true });
    await trusting.check('https://hooks.example/x');
    expect(await post(trusting, 'https://hooks.example/x')).toEqual({ status: 200 });
    expect(asked).toEqual([`CONNECT hooks.example:443 ${PASSWORD}`]);
  });

  it('is taken to allowed hosts as the proxy knows them, over http too', async () => {
    const sender = open(null, { allowed: ['hooks.example', '10.0.0.7'] });
    await sender.check('https://hooks.example/x');
    expect(await post(sender, 'https://hooks.example/x')).toEqual({ status: 200 });
    expect(await post(sender, 'http://10.0.0.7:8080/x?y')).toEqual({ status: 204 });
    expect(asked).toEqual([`CONNECT hooks.example:443 ${PASSWORD}`, `POST http://10.0.0.7:8080/x?y ${PASSWORD}`]);
  });

  it('is not taken to hosts of NO_PROXY, which are looked at as ever', async () => {
    const sender = open(['10.0.0.1'], { direct: 'hooks.example' });
    await expect(post(sender, 'https://hooks.example/x')).rejects.toThrow('public internet');
    const away = open(null, { direct: 'hooks.example', proxyResolves: true });
    await expect(away.check('https://hooks.example/x')).rejects.toThrow(
      /does not resolve. Check it, or try again later$/,
    );
    expect(asked).toEqual([]);
  });

  it.each([
    ['refuses', 'HTTP/1.1 403 Forbidden\r\n\r\n', 'no connection (the proxy refuses with 403)'],
    ['closes', '', 'no connection (the proxy closed the connection)'],
    [
      'leads to what speaks no TLS',
      'HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9.6\r\n',
      /^no connection \(ERR_SSL|^no connection \(EPROTO/,
    ],
  ])('that %s: says so', async (_what, said, message) => {
    refusal = said;
    const sent = post(open(['93.184.216.34']), 'https://hooks.example/x');
    await expect(sent).rejects.toMatchObject({ kind: 'connect', reached: false });
    await expect(sent).rejects.toThrow(message);
  });
});
