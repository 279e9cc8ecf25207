import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { vi } from 'vitest';
import { CallFront } from '../../../src/http/calls/call-front.ts';
import type { CallParts } from '../../../src/http/calls/exchange.ts';
import { createCallListener } from '../../../src/http/calls/node-calls.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { CallAnswer } from '../../../src/services/calls/answer.ts';
import type { CallRequest } from '../../../src/services/calls/calls.ts';

type Answer = (request: CallRequest) => CallAnswer | Promise<CallAnswer>;

export interface CallServer {
  server: Server;
  front: CallFront | null;
  /** Requests that node:http has read. */
  readonly readByNode: number;
  /** Every request that was read to its end, in order: what a call asks for, or what came to the app instead. */
  seen: unknown[];
  /** Answers calls from now on; the first answer is their own text. */
  answerWith(answer: Answer): void;
  /** A connection to it, which takes in what is answered. */
  connect(): Promise<Client>;
  stop(): Promise<void>;
}

export interface Client {
  socket: Socket;
  /** What has come, in Latin-1. */
  text(): string;
  /** Sends pieces one after the other, each read by itself as far as that can be. */
  send(...pieces: (Buffer | string)[]): Promise<void>;
  closed: Promise<unknown>;
}

export const echo: Answer = ({ raw }) => {
  const body = `"${Buffer.from(raw).toString('hex')}"`;
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
};

/**
 * Calls on a server of node:http, with the front before it or without. `byEvents`: on a Node.js that does not let servers'
 * sockets be read in place. Every key is good.
 */
export async function startCallServer(withFront: boolean, byEvents = false): Promise<CallServer> {
  const seen: unknown[] = [];
  let answer = echo;
  const deps = {
    clock: { now: () => 1_790_000_000_000, micros: () => performance.now() * 1000 },
    random: { bytes: (length: number) => new Uint8Array(length) },
    log: { debug: () => undefined, error: () => undefined },
    settings: { maxLineBytes: 1024 ** 2 },
  } as unknown as Deps;
  const parts = {
    authenticator: { recall: (secret: string) => ({ tenantId: 't', keyId: secret, role: 'user' }) },
    calls: {
      answer: async (request: CallRequest) => {
        const { actor, endpoint, headers, requestId, raw } = request;
        seen.push({ call: endpoint, key: actor.keyId, headers, requestId, body: Buffer.from(raw).toString('latin1') });
        return answer(request);
      },
    },
    metrics: { count: () => undefined, observe: () => undefined },
  } as unknown as CallParts;
  const takesCall = createCallListener(deps, parts);
  let readByNode = 0;
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    readByNode += 1;
    if (takesCall(request, response)) return;
    const { method, url, rawHeaders } = request;
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      seen.push({ app: [method, url, rawHeaders], body: Buffer.concat(pieces).toString('latin1') });
      response.end('the app');
    });
  });
  const front = withFront ? new CallFront(server, deps, parts) : null;
  if (byEvents) server.prependListener('connection', withoutUserBuffer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    front,
    get readByNode() {
      return readByNode;
    },
    seen,
    answerWith: (other) => {
      answer = other;
    },
    connect: () => open(port),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      front?.close();
      server.closeAllConnections();
      front?.closeAll();
      await closed;
    },
  };
}

function withoutUserBuffer(socket: Socket): void {
  const handle: unknown = Reflect.get(socket, '_handle');
  Object.assign(handle as object, { useUserBuffer: undefined });
}

async function open(port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const closed = once(socket, 'close');
  closed.catch(() => undefined);
  socket.on('error', () => undefined);
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.on('end', () => socket.end());
  await once(socket, 'connect');
  return {
    socket,
    closed,
    text: () => Buffer.concat(pieces).toString('latin1'),
    async send(...given) {
      for (const piece of given) {
        if (socket.destroyed) return;
        await new Promise((sent) => {
          socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, sent);
        });
        for (let turn = 0; turn < 3; turn++) await new Promise((next) => setImmediate(next));
      }
    },
  };
}

/** A call with `body`, and `headers` beside those that it needs. */
export function callText(body: string, headers = '', endpoint = '/v1/chat/completions'): string {
  const length = Buffer.byteLength(body, 'latin1');
  return `POST ${endpoint} HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer key\r\n${headers}content-length: ${length}\r\n\r\n${body}`;
}

/** Waits until `client` has been sent `count` answers of 200 in whole. */
export async function answered(client: Client, count: number): Promise<void> {
  await vi.waitFor(() => {
    const answers = client.text().split('HTTP/1.1 200 OK').length - 1;
    if (answers < count || !/("|the app|0\r\n\r\n)$/.test(client.text())) throw new Error(client.text());
  });
}
