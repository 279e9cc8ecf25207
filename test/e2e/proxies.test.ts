import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, request as sendOn } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { chatModels, type NativeServices, poolModel, startNativeServices } from './native-services.ts';
import { chatLines, spawnWeir, submit, temporaryFolder, type WeirProcess, waitForBatch } from './weir.ts';

/** What the proxy was asked for: the host, by absolute address or CONNECT. */
let wanted: { host: string; authorization: string | undefined }[];
let services: NativeServices;
let proxy: Server;
let folder: string;
let weir: WeirProcess | undefined;
const open = new Set<Socket>();

/** A proxy that knows names that nobody else does: `<port>.example` is this machine's port of that number. */
beforeEach(async () => {
  wanted = [];
  services = await startNativeServices();
  proxy = createServer((incoming, answer) => {
    const to = new URL(incoming.url ?? '');
    const { 'proxy-authorization': authorization, ...headers } = incoming.headers;
    wanted.push({ host: to.hostname, authorization });
    const path = to.pathname + to.search;
    const onward = sendOn({ port: portOf(to.hostname), method: incoming.method, path, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  proxy.on('connect', (incoming, client: Socket, head: Buffer) => {
    const host = String(incoming.url).replace(/:\d+$/, '');
    wanted.push({ host, authorization: incoming.headers['proxy-authorization'] });
    const target = connect(portOf(host), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.write(head);
      target.pipe(client).pipe(target);
    });
    for (const socket of [target, client]) socket.on('error', () => undefined);
  });
  proxy.on('connection', (socket: Socket) => open.add(socket));
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  folder = await temporaryFolder();
});
afterEach(async () => {
  await weir?.kill();
  weir = undefined;
  for (const socket of open) socket.destroy();
  open.clear();
  proxy.close();
  await services.stop();
  await rm(folder, { recursive: true, force: true });
});

const portOf = (host: string): number => Number(/^p(\d+)\.example$/.exec(host)?.[1] ?? 0);
/** An address here, by the name that only the proxy knows. */
const nameOf = (url: string): string => url.replace(/127\.0\.0\.1:(\d+)/, 'p$1.example');

async function start(environment: Record<string, string>, config: object = {}): Promise<WeirProcess> {
  const { openai, pool } = services.servers;
  const providers = {
    openai: { ...services.providers.openai, base_url: nameOf(openai.baseUrl), allow_http: true },
    pool: { ...services.providers.pool, base_urls: [nameOf(pool.baseUrl)] },
  };
  const routes = {
    half: {
      strategy: { mode: 'loadbalance' },
      targets: [
        { provider: 'openai', model: chatModels.openai, weight: 1 },
        { provider: 'pool', model: poolModel, weight: 1 },
      ],
    },
  };
  const path = join(folder, 'weir.json');
  await writeFile(path, JSON.stringify({ providers, routes, settings: { poll_seconds_min: 1 }, ...config }));
  weir = await spawnWeir(path, join(folder, 'data'), { env: environment });
  return weir;
}

describe('a server behind a proxy', () => {
  it('reaches all of its providers through it: lines, provider batches with their files, streams', async () => {
    const { port } = proxy.address() as AddressInfo;
    const server = await start({ HTTP_PROXY: `http://user:pass@127.0.0.1:${port}` });
    const input = chatLines(40);
    const { id } = await submit(server, input, { window: '24h', config: 'half' });
    expect((await waitForBatch(server, id, { seconds: 40 })).request_counts?.completed).toBe(40);
    const { entries } = await assertInvariants(server, id, input);
    expect(entries.filter((entry) => entry.provider === 'openai')).toHaveLength(20);
    const messages = [{ role: 'user' as const, content: 'Two and two?' }];
    const stream = await server.client.chat.completions.create({ model: `pool/${poolModel}`, messages, stream: true });
    for await (const chunk of stream) expect(chunk.choices.length).toBeLessThanOrEqual(1);

    const { openai, pool } = services.servers;
    const hosts = [openai.baseUrl, pool.baseUrl].map((url) => new URL(nameOf(url)).hostname);
    expect(new Set(wanted.map(({ host }) => host))).toEqual(new Set(hosts));
    const password = `Basic ${btoa('user:pass')}`;
    expect(new Set(wanted.map(({ authorization }) => authorization))).toEqual(new Set([password]));
  }, 60_000);

  it('takes webhooks through it, to hosts that it alone knows where the config says so', async () => {
    const events: unknown[] = [];
    const receiver = createServer((request, response) => {
      events.push([request.headers.host, request.headers['proxy-authorization']]);
      request.resume().on('end', () => response.writeHead(204).end());
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const host = `p${(receiver.address() as AddressInfo).port}.example`;
    const { port } = proxy.address() as AddressInfo;
    const webhooks = { allow_hosts: [host], proxy_resolves: true };
    const server = await start({ ALL_PROXY: `http://user:pass@127.0.0.1:${port}` }, { webhooks });
    try {
      const send = async (url: string) => {
        const hook = await server.client.webhooks.create({ name: 'ops', url, event_types: ['batch.completed'] });
        return server.client.webhooks.test(hook.id, { event_type: 'batch.completed' });
      };
      expect(await send(`http://${host}/hook`)).toMatchObject({ status_code: 204, success: true });
      expect(events).toEqual([[host, undefined]]);
      // Another name of the same server, which speaks no TLS: what counts is who was asked, and for what.
      const name = host.replace('p', 'p0');
      await expect(send(`https://${name}/hook`)).rejects.toThrow(/no answer: no connection \((ERR_SSL|EPROTO)/);
      const password = `Basic ${btoa('user:pass')}`;
      expect(wanted).toEqual([host, name].map((each) => ({ host: each, authorization: password })));
    } finally {
      receiver.closeAllConnections();
      receiver.close();
    }
  }, 60_000);

  it('does not start with a proxy that is none, and keeps what it was told to itself', async () => {
    await expect(start({ HTTPS_PROXY: 'socks5://user:secret@127.0.0.1:1080' })).rejects.toThrow(/HTTPS_PROXY: must be/);
    await expect(start({ HTTPS_PROXY: 'socks5://user:secret@127.0.0.1:1080' })).rejects.not.toThrow(/secret/);
  });
});
