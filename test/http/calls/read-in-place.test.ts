import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readBuffer, readInPlace } from '../../../src/http/calls/read-in-place.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** Both ends of a connection to the server. */
async function connected(server: Server): Promise<{ accepted: Socket; client: Socket }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  cleanups.push(
    () => client.destroy(),
    () => accepted.destroy(),
  );
  return { accepted, client };
}

describe('a socket of a server, read in place', () => {
  it('brings what comes in the buffer of all, stops when it is told to, goes on when it is resumed, and ends', async () => {
    const server = createServer();
    let came = '';
    let goesOn = false;
    let isInPlace = false;
    server.on('connection', (socket) => {
      isInPlace = readInPlace(socket, (count) => {
        came += readBuffer.toString('latin1', 0, count);
        return goesOn;
      });
    });
    const { accepted, client } = await connected(server);
    expect(isInPlace).toBe(true);
    client.write('one');
    await vi.waitFor(() => expect(came).toBe('one'));
    const read = accepted.bytesRead;
    client.write(' two');
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
    expect([came, accepted.bytesRead]).toEqual(['one', read]);
    goesOn = true;
    accepted.resume();
    await vi.waitFor(() => expect(came).toBe('one two'));
    client.end();
    await once(accepted, 'end');
  });

  it('is not read so where Node.js has no such thing, or the socket is another’s', async () => {
    const { accepted } = await connected(createServer());
    Object.assign(Reflect.get(accepted, '_handle') as object, { useUserBuffer: undefined });
    expect(readInPlace(accepted, () => true)).toBe(false);
    expect(readInPlace(new Duplex() as Socket, () => true)).toBe(false);
  });

  it('is node:http’s to read by its events, too, once it was given to it', async () => {
    const server = createHttpServer();
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      readInPlace(socket, (count) => socket.push(Buffer.from(readBuffer.subarray(0, count))));
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
    });
    const seen: string[] = [];
    server.on('request', (request, response) => {
      // With a listener of its own node:http reads the socket by its events from here on.
      request.socket.on('data', (chunk: Buffer) => seen.push(chunk.toString('latin1')));
      response.end(`answer to ${request.url}`);
    });
    const { client } = await connected(server);
    let text = '';
    client.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    for (const path of ['/first', '/second']) {
      client.write(`GET ${path} HTTP/1.1\r\nhost: weir\r\n\r\n`);
      await vi.waitFor(() => expect(text).toContain(`answer to ${path}`));
    }
    expect(seen).toEqual(['GET /second HTTP/1.1\r\nhost: weir\r\n\r\n']);
  });
});
