import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** An endpoint that keeps what it is told, and answers as it is told. */
export interface Receiver {
  url: string;
  received: Received[];
  answer: (response: ServerResponse) => void;
  /** Resolves when it has received so many; rejects after 20 s. */
  until(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  let wake: () => void = () => undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      receiver.received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      receiver.answer(response);
      wake();
    });
  });
  const receiver: Receiver = {
    url: '',
    received: [],
    answer: (response) => response.writeHead(204).end(),
    async until(count) {
      const late = AbortSignal.timeout(20_000);
      while (receiver.received.length < count) {
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          late.onabort = () => reject(new Error(`received ${receiver.received.length} of ${count}`));
        });
      }
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks?token=secret-canary`;
  return receiver;
}
