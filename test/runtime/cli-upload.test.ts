import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Api } from '../../src/runtime/cli/api.ts';
import { uploadFile } from '../../src/runtime/cli/send.ts';
import { recordTerminal } from './cli-terminal.ts';

const FILE_BYTES = 128 * 1024 * 1024;
/** What sockets and streams may hold on both sides; far below the file. */
const HELD_BYTES_MOST = 32 * 1024 * 1024;

it('an upload waits for the server: what is not taken is not read into memory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-upload-'));
  const path = join(folder, 'large.jsonl');
  const file = await open(path, 'w');
  await file.truncate(FILE_BYTES);
  await file.close();
  const arrived = Promise.withResolvers<IncomingMessage>();
  let received = 0;
  const server = createServer((request, response) => {
    // Nobody reads yet: the sender has to notice.
    arrived.resolve(request);
    request.once('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ id: 'file-1', object: 'file' }));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const api = new Api({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: null });
  try {
    const before = process.memoryUsage().arrayBuffers;
    const uploading = uploadFile(recordTerminal(), api, path, FILE_BYTES);
    const request = await arrived.promise;
    // Steady means that the sender has stopped by itself.
    let held = -1;
    await expect
      .poll(
        () => {
          const now = process.memoryUsage().arrayBuffers - before;
          const isSteady = now === held;
          held = now;
          return isSteady;
        },
        { interval: 200, timeout: 20_000 },
      )
      .toBe(true);
    expect(held).toBeLessThan(HELD_BYTES_MOST);
    request.on('data', (chunk: Uint8Array) => {
      received += chunk.byteLength;
    });
    expect(await uploading).toBe('file-1');
    expect(received).toBeGreaterThan(FILE_BYTES);
  } finally {
    await api.close();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});
