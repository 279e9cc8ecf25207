import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

/** One request as it arrived, and the socket to answer it on, byte by byte. */
export interface ScriptedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  socket: Socket;
}

export interface ScriptedServer {
  url: string;
  requests: ScriptedRequest[];
  /** Connections accepted so far, and open now. */
  accepted: number;
  open: Set<Socket>;
  close(): Promise<void>;
}

/** A raw TCP server for faults that no HTTP library would commit; `answer` writes what it likes. */
export async function startScriptedServer(
  answer: (request: ScriptedRequest) => void,
  port = 0,
): Promise<ScriptedServer> {
  const server: Server = createServer((socket) => serve(socket));
  const scripted: ScriptedServer = {
    url: '',
    requests: [],
    accepted: 0,
    open: new Set(),
    close: () => stop(server, scripted),
  };
  function serve(socket: Socket): void {
    scripted.accepted += 1;
    scripted.open.add(socket);
    socket.on('close', () => scripted.open.delete(socket));
    socket.on('error', () => {});
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let read = readRequest(pending, socket); read !== null; read = readRequest(pending, socket)) {
        pending = pending.subarray(read.bytes);
        scripted.requests.push(read.request);
        answer(read.request);
      }
    });
  }
  server.listen({ host: '127.0.0.1', port, backlog: 4096 });
  await once(server, 'listening');
  scripted.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return scripted;
}

async function stop(server: Server, scripted: ScriptedServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of scripted.open) socket.destroy();
  await closed;
}

function readRequest(pending: Buffer, socket: Socket): { request: ScriptedRequest; bytes: number } | null {
  const end = pending.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [start = '', ...lines] = pending.subarray(0, end).toString('latin1').split('\r\n');
  const [method = '', path = ''] = start.split(' ');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const bytes = end + 4 + Number(headers['content-length'] ?? 0);
  if (pending.length < bytes) return null;
  return { request: { method, path, headers, body: pending.subarray(end + 4, bytes).toString(), socket }, bytes };
}

/** A whole HTTP answer as text. */
export function httpAnswer(status: number, body: string, headers: Record<string, string> = {}): string {
  const all = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Text\r\n${lines.join('')}\r\n${body}`;
}

/** A port on which nothing listens. */
export async function closedUrl(): Promise<string> {
  const server = await startScriptedServer(() => {});
  await server.close();
  return server.url;
}

/** Waits until `isTrue`, or fails after two seconds. */
export async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 2000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not true within two seconds: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
