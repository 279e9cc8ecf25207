import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on loopback that can die and come back. */
export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Cuts every connection and refuses new ones. */
  crash(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ReceivedRequest {
  method: string;
  /** As sent, still encoded. */
  url: URL;
  /** Lower-case names; repeated ones joined. */
  headers: Record<string, string>;
  body: Buffer;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Starts a server on 127.0.0.1 that reads each request whole before `answer` sees it. */
export async function listenOnLoopback(
  answer: (received: ReceivedRequest) => void,
  wantedPort = 0,
): Promise<Listening> {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
      const url = new URL(request.url ?? '/', `http://${request.headers.host ?? '127.0.0.1'}`);
      answer({ method: request.method ?? 'GET', url, headers, body: Buffer.concat(chunks), request, response });
    });
    request.on('error', () => {});
  });
  const port = await listen(server, wantedPort);
  let closed: Promise<void> | null = null;
  const goDown = () => {
    closed ??= close(server);
    return closed;
  };
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    crash: goDown,
    async restart() {
      if (closed === null) return;
      await closed;
      await listen(server, port);
      closed = null;
    },
    stop: goDown,
  };
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: '127.0.0.1', port, backlog: 4096 }, resolve);
  try {
    await promise;
  } finally {
    server.off('error', reject);
  }
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
