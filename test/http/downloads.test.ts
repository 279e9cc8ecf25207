import { randomBytes } from 'node:crypto';
import { readdir, readlink, truncate } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { platform } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFsFiles } from '../../src/files/fs.ts';
import type { FileStore } from '../../src/ports/files.ts';
import { temporaryFolder } from '../e2e/weir.ts';
import { storedObject } from '../files/stored-object.ts';
import { type Listening, listen } from './files-server.ts';
import { ADMIN_SECRET, type Harness, openHarness } from './harness.ts';

/** Some pieces, the last one short. */
const content = randomBytes(5 * 1024 * 1024 + 77);

let folder: string;
let harness: Harness;
let server: Listening;
let id: string;
/** The memory that the pieces of the last download were read into. */
let seen: Set<ArrayBufferLike>;

beforeAll(async () => {
  folder = await temporaryFolder();
  harness = await openHarness({ files: watched(await openFsFiles(folder)) });
  server = await listen(harness);
  id = await upload(content);
});
afterAll(async () => {
  await server.close();
  await harness.close();
});

function watched(files: FileStore): FileStore {
  return {
    ...files,
    async read(...args) {
      const pieces = await files.read(...args);
      seen = new Set();
      return (async function* () {
        for await (const piece of pieces) {
          seen.add(piece.buffer);
          yield piece;
        }
      })();
    },
  };
}

async function upload(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const file = new File([bytes], 'a.bin');
  return (await server.client.files.create({ file, purpose: 'user_data' })).id;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  const authorization = `Bearer ${ADMIN_SECRET}`;
  return fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers: { authorization, ...headers } });
}

const download = (headers?: Record<string, string>, method?: string): Promise<Response> =>
  get(`/v1/files/${id}/content`, headers, method);

async function bytesOf(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer());
}

/** A client that reads by hand. */
async function openRaw(path: string): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN_SECRET}\r\n\r\n`);
  return socket;
}

/** The files of the folder that this process has open. */
async function openFiles(): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  const links = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return links.filter((link) => link.startsWith(folder));
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not come to be');
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

describe('a download from a server on Node', () => {
  it('is the file, read into the same two pieces of memory, with the headers of every answer', async () => {
    const answer = await download();
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      'content-length': String(content.length),
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^req_/),
    });
    expect((await bytesOf(answer)).equals(content)).toBe(true);
    expect(seen.size).toBe(2);
  });

  it('is each client’s own, also of a client that takes its time', async () => {
    const slow = await openRaw(`/v1/files/${id}/content`);
    const fast = await Promise.all(Array.from({ length: 8 }, () => download().then(bytesOf)));
    for (const bytes of fast) expect(bytes.equals(content)).toBe(true);
    const received: Buffer[] = [];
    let length = 0;
    slow.on('data', (chunk: Buffer) => {
      received.push(chunk);
      length += chunk.length;
      slow.pause();
      setImmediate(() => slow.resume());
    });
    slow.resume();
    await eventually(() => length > content.length);
    const whole = Buffer.concat(received);
    expect(whole.subarray(whole.indexOf('\r\n\r\n') + 4).equals(content)).toBe(true);
    slow.destroy();
  });

  it('is a range where one is asked for, a head alone where that is, and nothing where the client has it', async () => {
    const range = await download({ range: 'bytes=200000-700000' });
    expect([range.status, range.headers.get('content-range')]).toEqual([206, `bytes 200000-700000/${content.length}`]);
    expect((await bytesOf(range)).equals(content.subarray(200_000, 700_001))).toBe(true);
    const small = await download({ range: 'bytes=-10' });
    expect((await bytesOf(small)).equals(content.subarray(-10))).toBe(true);
    expect([...seen].map((memory) => memory.byteLength)).toEqual([10]);
    const head = await download({}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(content.length)]);
    const etag = head.headers.get('etag') ?? '';
    expect((await download({ 'if-none-match': etag })).status).toBe(304);
    expect((await download({ range: `bytes=${content.length}-` })).status).toBe(416);
    const empty = await upload(new Uint8Array(0));
    const nothing = await get(`/v1/files/${empty}/content`);
    expect([nothing.status, nothing.headers.get('content-length'), await nothing.text()]).toEqual([200, '0', '']);
  });

  it('leaves its connection to the next request', async () => {
    const socket = await openRaw(`/v1/files/${id}/content`);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.resume();
    const end = () => text.indexOf('\r\n\r\n') + 4 + content.length;
    await eventually(() => text.length > content.length && text.length >= end());
    expect(text.length).toBe(end());
    const from = text.length;
    socket.write(`GET /v1/files/${id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN_SECRET}\r\n\r\n`);
    await eventually(() => text.includes(`"id":"${id}"`, from));
    expect(text.slice(from)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.destroy();
  });

  it.runIf(platform() === 'linux')('closes its file when the client leaves', async () => {
    const socket = await openRaw(`/v1/files/${id}/content`);
    await eventually(async () => (await openFiles()).length > 0);
    socket.destroy();
    await eventually(async () => (await openFiles()).length === 0);
    expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('breaks off when the file has less than was told, instead of looking whole', async () => {
    const whole = 32 * 1024 * 1024;
    const short = await upload(randomBytes(whole));
    const stored = await storedObject(join(folder, 'files'), short, 'content');
    const ended = new Promise<{ bytes: number; complete: boolean }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${ADMIN_SECRET}` };
      const path = `/v1/files/${short}/content`;
      httpRequest({ port: server.port, host: '127.0.0.1', path, headers }, (answer) => {
        let bytes = 0;
        answer.on('error', () => undefined);
        truncate(stored, 1024 * 1024).then(() => {
          answer.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
          });
        }, reject);
        answer.on('close', () => resolve({ bytes, complete: answer.complete }));
      })
        .on('error', reject)
        .end();
    });
    const { bytes, complete } = await ended;
    expect(complete).toBe(false);
    expect(bytes).toBeLessThan(whole);
    expect(harness.log.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'an answer broke off', fields: { requestId: expect.stringMatching(/^req_/) } },
    ]);
  });
});
