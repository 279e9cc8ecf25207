import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import OpenAI from 'openai';
import { withDirectBodies } from '../../src/http/send-directly.ts';
import { keepUploadBody } from '../../src/http/upload-body.ts';
import { ADMIN_SECRET, type Harness } from './harness.ts';

export interface Listening {
  port: number;
  client: OpenAI;
  close(): Promise<void>;
}

/** Serves the app on a real socket, for the official SDK and for raw bytes. */
export async function listen(harness: Harness): Promise<Listening> {
  const serve = getRequestListener(withDirectBodies(harness.app.fetch, harness.deps.log));
  const server = createServer((request, response) => {
    keepUploadBody(request);
    void serve(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new OpenAI({ apiKey: ADMIN_SECRET, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
  return {
    port,
    client,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends raw bytes and reads until the server closes; `leave` closes before the answer. */
export async function sendRaw(port: number, pieces: Iterable<string | Uint8Array>, leave = false): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  for (const piece of pieces) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
  if (leave) socket.destroy();
  if (!socket.closed) await once(socket, 'close');
  return answer;
}

export interface Part {
  name?: string;
  filename?: string;
  type?: string;
  headers?: string;
  body: string | Uint8Array;
}

export const BOUNDARY = 'weir-boundary-123';

/** The bytes of a multipart form. `end: false` leaves its last boundary out. */
export function form(parts: readonly Part[], end = true): Buffer {
  const pieces: (string | Uint8Array)[] = [];
  for (const part of parts) {
    const name = part.name === undefined ? '' : `; name="${part.name}"`;
    const filename = part.filename === undefined ? '' : `; filename="${part.filename}"`;
    const type = part.type === undefined ? '' : `Content-Type: ${part.type}\r\n`;
    pieces.push(
      `--${BOUNDARY}\r\nContent-Disposition: form-data${name}${filename}\r\n${type}${part.headers ?? ''}\r\n`,
    );
    pieces.push(part.body, '\r\n');
  }
  if (end) pieces.push(`--${BOUNDARY}--\r\n`);
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

/** Sends a form to a path of the app. */
export function sendForm(
  harness: Harness,
  path: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return Promise.resolve(
    harness.app.request(path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ADMIN_SECRET}`,
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        ...headers,
      },
      body: body instanceof ReadableStream ? body : new Uint8Array(body),
      duplex: 'half',
    } as RequestInit),
  );
}

/** Waits, within a bound, until the condition holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come to hold');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
