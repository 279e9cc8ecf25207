import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallAnswer } from '../../../src/services/calls/answer.ts';
import { answered, type CallServer, type Client, callText, echo, startCallServer } from './call-servers.ts';

const TURN_MS = 1_000;

let server: CallServer;
let client: Client;

beforeEach(async () => {
  // Of the front alone: sockets have timers of their own.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  server = await startCallServer(true);
  client = await server.connect();
});

afterEach(async () => {
  vi.useRealTimers();
  client.socket.destroy();
  await server.stop();
});

const bodies = (): unknown[] => server.seen.map((each) => (each as { body: string }).body);

function streamed(events: AsyncIterableIterator<string>): CallAnswer {
  return { status: 200, headers: {}, events };
}

describe('the front', () => {
  it('takes calls that come whole, one after the other, past node:http', async () => {
    for (let count = 1; count <= 3; count++) {
      await client.send(callText(`{"call":${count}}`));
      await answered(client, count);
    }
    const text = callText(`{"call":"${'4'.repeat(60_000)}"}`);
    await client.send(text.slice(0, 300), text.slice(300, 30_000), text.slice(30_000));
    await answered(client, 4);
    expect(bodies().slice(0, 3)).toEqual(['{"call":1}', '{"call":2}', '{"call":3}']);
    expect(bodies()[3]).toHaveLength(60_011);
    expect(server.readByNode).toBe(0);
  });

  it.each([
    ['larger than it holds', callText('x'.repeat(70_000))],
    ['to the app', 'GET /v1/models HTTP/1.1\r\nhost: weir\r\n\r\n'],
    ['with a head in two pieces', callText('{}'), 40],
    ['with a head longer than it reads', callText('{}', `x-long: ${'x'.repeat(8_192)}\r\n`)],
    ['of an app: a key is none of its headers', callText('{}').replace('authorization: Bearer key\r\n', '')],
    ['with a key in two headers', callText('{}', 'authorization: Bearer another\r\n')],
  ])('leaves node:http a message %s, and the connection from there on', async (_what, text, cut = text.length) => {
    await client.send(callText('{"call":1}'));
    await answered(client, 1);
    expect(server.readByNode).toBe(0);
    await client.send(text.slice(0, cut), text.slice(cut));
    await answered(client, 2);
    await client.send(callText('{"call":3}'));
    await answered(client, 3);
    expect(server.readByNode).toBe(2);
    expect([bodies().length, bodies()[2]]).toEqual([3, '{"call":3}']);
  });

  it('leaves node:http a connection also where that reads it by its events, as somebody listens to them', async () => {
    const heard: string[] = [];
    server.server.once('request', ({ socket }) => socket.on('data', (chunk: Buffer) => heard.push(chunk.toString())));
    const get = 'GET /v1/models HTTP/1.1\r\nhost: weir\r\n\r\n';
    for (const [index, text] of [get, callText('{"call":2}'), get].entries()) {
      await client.send(text);
      await answered(client, index + 1);
    }
    expect(heard).toEqual([callText('{"call":2}'), get]);
    expect(server.readByNode).toBe(3);
  });

  it('answers calls that come before it is their turn in their order', async () => {
    const { promise: go, resolve } = Promise.withResolvers<void>();
    server.answerWith(async (request) => {
      await go;
      return echo(request);
    });
    const texts = Array.from({ length: 40 }, (_, count) => callText(`{"call":"${`${count}`.padStart(4_000, ' ')}"}`));
    // More than is held, so that the connection is not read on meanwhile.
    const sent = client.send(...texts);
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    resolve();
    await sent;
    await answered(client, 40);
    const given = client.text().matchAll(/\r\n\r\n"([0-9a-f]*)"/g);
    expect(
      [...given].map(([, hex = '']) => Number(/\d+"}$/.exec(Buffer.from(hex, 'hex').toString())?.[0].slice(0, -2))),
    ).toEqual(Array.from({ length: 40 }, (_, count) => count));
    expect(server.readByNode).toBe(39);
  });

  it('sends answers in pieces as node:http does', async () => {
    server.answerWith(() =>
      streamed(
        (async function* () {
          yield 'data: ä€𝄞\n\n';
          yield '';
          yield `data: ${'x'.repeat(300)}\n\n`;
        })(),
      ),
    );
    const plain = await startCallServer(false);
    plain.answerWith(() =>
      streamed(
        (async function* () {
          yield 'data: ä€𝄞\n\n';
          yield `data: ${'x'.repeat(300)}\n\n`;
        })(),
      ),
    );
    const other = await plain.connect();
    await client.send(callText('{}'));
    await other.send(callText('{}'));
    await answered(client, 1);
    await answered(other, 1);
    await plain.stop();
    const undated = (text: string): string => text.replace(/Date: [^\r]*/, '');
    expect(undated(client.text())).toBe(undated(other.text()));
    server.answerWith(echo);
    await client.send(callText('{"next":1}'));
    await answered(client, 2);
    expect(server.readByNode).toBe(0);
  });

  it('makes no more of a stream than its client takes, and ends it when the client leaves', async () => {
    let made = 0;
    const left = Promise.withResolvers<void>();
    server.answerWith(() =>
      streamed(
        (async function* () {
          try {
            for (; made < 10_000; made++) yield 'x'.repeat(64 * 1024);
          } finally {
            left.resolve();
          }
        })(),
      ),
    );
    client.socket.pause();
    await client.send(callText('{}'));
    await vi.waitFor(() => expect(made).toBeGreaterThan(10));
    let before = 0;
    await vi.waitFor(() => {
      const now = made;
      const isStill = now === before;
      before = now;
      if (!isStill) throw new Error('it goes on');
    });
    expect(made).toBeLessThan(10_000);
    client.socket.destroy();
    await left.promise;
  });

  it('ends a call whose client leaves', async () => {
    const signals: AbortSignal[] = [];
    const { promise } = Promise.withResolvers<CallAnswer>();
    server.answerWith(({ signal }) => {
      signals.push(signal);
      return promise;
    });
    await client.send(callText('{}'));
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    const aborted = once(signals[0] as AbortSignal, 'abort');
    client.socket.destroy();
    await aborted;
  });

  it('sends no header that a value would begin', async () => {
    server.answerWith(() => ({ status: 200, headers: { 'x-weir-target': 'a\r\nset-cookie: b' }, body: '{}' }));
    await client.send(callText('{}'));
    await vi.waitFor(() => expect(client.text()).toMatch(/^HTTP\/1\.1 500 (.|\s)*\}$/));
    expect(client.text()).not.toContain('set-cookie');
  });

  it('leaves node:http what does not come within moments, with what has come of it', async () => {
    const silent = await server.connect();
    const text = callText('{"call":1}');
    await client.send(text.slice(0, -4));
    vi.advanceTimersByTime(4 * TURN_MS);
    await client.send(text.slice(-4));
    await answered(client, 1);
    await silent.send(callText('{"call":2}'));
    await answered(silent, 1);
    expect([server.readByNode, bodies()]).toEqual([2, ['{"call":1}', '{"call":2}']]);
  });

  it('ends connections that are idle for longer than it says, and no others', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const busy = await server.connect();
    await client.send(callText('{"call":1}'));
    await answered(client, 1);
    server.answerWith(async (request) => {
      await promise;
      return echo(request);
    });
    await busy.send(callText('{"call":2}'));
    await vi.waitFor(() => expect(server.seen).toHaveLength(2));
    vi.advanceTimersByTime(server.server.keepAliveTimeout);
    server.answerWith(echo);
    await client.send(callText('{"call":3}'));
    await answered(client, 2);
    vi.advanceTimersByTime(server.server.keepAliveTimeout + 3 * TURN_MS);
    await client.closed;
    resolve();
    await answered(busy, 1);
    expect(server.readByNode).toBe(0);
  });

  it('ends with its server: idle connections at once, the others with their answers', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const busy = await server.connect();
    await client.send(callText('{"call":1}'));
    await answered(client, 1);
    server.answerWith(async (request) => {
      await promise;
      return echo(request);
    });
    await busy.send(callText('{"call":2}'));
    await vi.waitFor(() => expect(server.seen).toHaveLength(2));
    const closed = once(server.server, 'close');
    server.server.close();
    server.front?.close();
    await client.closed;
    resolve();
    await Promise.all([busy.closed, closed]);
    expect(busy.text()).toMatch(/Connection: close\r\n\r\n"[0-9a-f]+"$/);
    server = await startCallServer(true);
  });

  it('cuts off no answer that its client is still taking when the server ends', async () => {
    const body = 'x'.repeat(16 * 1024 ** 2);
    server.answerWith(() => ({ status: 200, headers: {}, body }));
    client.socket.pause();
    await client.send(callText('{}'));
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    const closed = once(server.server, 'close');
    server.server.close();
    server.front?.close();
    client.socket.resume();
    await Promise.all([client.closed, closed]);
    expect(client.text().length).toBeGreaterThan(body.length);
    server = await startCallServer(true);
  });
});
