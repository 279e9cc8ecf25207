import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFetchHttpClient } from '../../providers/shared/http-fetch.ts';
import type { WebhookSender } from '../../src/ports/webhook-sender.ts';
import { createWebhookSender, type Resolve } from '../../src/runtime/webhook-sender.ts';
import { createWorkerWebhookSender } from '../../src/runtime/worker/webhook-sender.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let port: number;
let answer: Answer;
let hosts: (string | undefined)[];
let server: ReturnType<typeof createServer>;
let senders: WebhookSender[];

beforeEach(async () => {
  hosts = [];
  senders = [];
  answer = (_request, response) => response.end('ok');
  server = createServer((request, response) => {
    hosts.push(request.headers.host);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const sender of senders) await sender.close();
  server.closeAllConnections();
  server.close();
});

function open(allowed: readonly string[], resolve?: Resolve): WebhookSender {
  const sender = createWebhookSender(new Set(allowed), resolve === undefined ? {} : { resolve });
  senders.push(sender);
  return sender;
}

const post = (sender: WebhookSender, url: string, signal = new AbortController().signal) =>
  sender.post({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}', signal });

/** Answers one address after the other, the last for ever. */
function names(...addresses: string[][]): { resolve: Resolve; asked: string[] } {
  const asked: string[] = [];
  const resolve: Resolve = async (host) => {
    asked.push(host);
    const next = addresses.length > 1 ? addresses.shift() : addresses[0];
    return (next ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { resolve, asked };
}

describe('the way to webhooks', () => {
  it('looks a name up once for a delivery and connects to that address, by the name’s own Host', async () => {
    const { resolve, asked } = names(['127.0.0.1']);
    expect(await post(open(['hooks.test'], resolve), `http://hooks.test:${port}/x`)).toEqual({ status: 200 });
    expect([hosts, asked]).toEqual([[`hooks.test:${port}`], ['hooks.test']]);
  });

  it.each([
    ['loopback', ['127.0.0.1']],
    ['metadata', ['169.254.169.254']],
    ['a private network', ['10.0.0.1']],
    ['one address inside beside one outside', ['8.8.8.8', '127.0.0.1']],
    ['IPv6 loopback', ['::1']],
    ['IPv4 in IPv6', ['::ffff:127.0.0.1']],
  ])('refuses a name that leads to %s, at registration and at delivery', async (_what, addresses) => {
    const sender = open([], names(addresses).resolve);
    await expect(sender.check(`https://hooks.test:${port}/x`)).rejects.toThrow('public internet');
    await expect(post(sender, `https://hooks.test:${port}/x`)).rejects.toThrow('public internet');
    expect(hosts).toEqual([]);
  });

  it('refuses a name that was public when it was registered and is not when it is called', async () => {
    const { resolve } = names(['93.184.216.34'], ['127.0.0.1']);
    const sender = open([], resolve);
    await sender.check(`https://hooks.test:${port}/x`);
    await expect(post(sender, `https://hooks.test:${port}/x`)).rejects.toThrow('public internet');
    expect(hosts).toEqual([]);
  });

  it('refuses a name that does not resolve when it is registered', async () => {
    const sender = open([], () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })));
    await expect(sender.check('https://hooks.test/x')).rejects.toThrow('does not resolve');
    await expect(post(sender, 'https://hooks.test/x')).rejects.toMatchObject({ kind: 'connect', reached: false });
  });

  it('follows no redirect', async () => {
    answer = (_request, response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/other` }).end();
    expect(await post(open(['127.0.0.1']), `http://127.0.0.1:${port}/x`)).toEqual({ status: 302 });
    expect(hosts).toHaveLength(1);
  });

  it('takes the status of an answer that never ends, or is far too long, without its rest', async () => {
    answer = (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    };
    expect(await post(open(['127.0.0.1']), `http://127.0.0.1:${port}/x`)).toEqual({ status: 200 });
    const http = createFetchHttpClient();
    const worker = createWorkerWebhookSender(http, new Set(['127.0.0.1']));
    expect(await post(worker, `http://127.0.0.1:${port}/x`)).toEqual({ status: 200 });
    await http.close();
  });

  it('breaks off when it is told to, and says how far it came', async () => {
    const hanging = new AbortController();
    answer = () => hanging.abort();
    const sender = open(['127.0.0.1']);
    await expect(post(sender, `http://127.0.0.1:${port}/x`, hanging.signal)).rejects.toMatchObject({ kind: 'aborted' });
    answer = (request) => request.socket.destroy();
    await expect(post(sender, `http://127.0.0.1:${port}/x`)).rejects.toMatchObject({ kind: 'reset' });
    await expect(post(sender, 'http://127.0.0.1:1/x')).rejects.toMatchObject({ kind: 'connect', reached: false });
  });

  it('looks at what a URL says on Workers too, where the platform connects', async () => {
    const http = createFetchHttpClient();
    const worker = createWorkerWebhookSender(http, new Set());
    await worker.check('https://example.com/x');
    await expect(worker.check('https://169.254.169.254/x')).rejects.toThrow('public internet');
    await expect(post(worker, `http://127.0.0.1:${port}/x`)).rejects.toThrow('https');
    expect(hosts).toEqual([]);
    await http.close();
  });
});
