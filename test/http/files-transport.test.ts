import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/core/api-error.ts';
import { openFsFiles } from '../../src/files/fs.ts';
import { toByteStream } from '../../src/http/byte-stream.ts';
import { openForm } from '../../src/http/multipart.ts';
import type { BodyReader, FormSource } from '../../src/http/upload-body.ts';
import { line, objects } from '../services/file-inputs.ts';
import { BOUNDARY, form, type Listening, listen, type Part, sendRaw, until } from './files-server.ts';
import { ADMIN_SECRET, type Harness, openHarness } from './harness.ts';

let directory: string;
let harness: Harness;
let server: Listening;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-transport-'));
  harness = await openHarness({ files: await openFsFiles(directory) });
  server = await listen(harness);
});
afterAll(async () => {
  await server.close();
  await harness.close();
  await rm(directory, { recursive: true, force: true });
});

const file: Part = { name: 'file', filename: 'in.jsonl', body: `${line('a')}\n${line('b')}\n` };
const purpose: Part = { name: 'purpose', body: 'batch' };
const head = (extra: string) =>
  `POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_SECRET}\r\nConnection: close\r\n` +
  `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n${extra}\r\n`;
const chunked = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
const unfinished = () => readdir(join(directory, '.unfinished'));

describe('uploads over a raw socket', () => {
  it('come chunked, without a Content-Length', async () => {
    const bytes = form([file, purpose]);
    const pieces = [chunked(bytes.subarray(0, 50)), chunked(bytes.subarray(50)), '0\r\n\r\n'];
    const answer = await sendRaw(server.port, [head('Transfer-Encoding: chunked\r\n'), ...pieces]);
    expect(answer).toContain('HTTP/1.1 200');
    expect(answer).toContain('"status":"processed"');
  });

  it('are stored byte for byte, of any size and purpose, however their chunks come', async () => {
    for (const [size, purpose] of [
      [900_000, 'batch'],
      [1_100_000, 'batch'],
      [5_000_000, 'batch'],
      [5_000_000, 'user_data'],
    ] as const) {
      let text = '';
      for (let index = 0; text.length < size; index++) text += `${line(`${size}-${index}`)}\n`;
      const { id, bytes } = await server.client.files.create({ file: new File([text], 'in.jsonl'), purpose });
      expect(bytes).toBe(text.length);
      expect((await (await server.client.files.content(id)).text()) === text).toBe(true);
      const row = await harness.deps.store.files.getAny(id);
      expect(row?.sha256).toBe(createHash('sha256').update(text).digest('hex'));
      expect(row?.plan?.requests).toBe(purpose === 'batch' ? text.split('\n').length - 1 : undefined);
    }
  });

  it('leave nothing behind when the client leaves in the middle of the file', async () => {
    const before = await objects(harness.deps);
    const bytes = form([purpose, { ...file, body: `${line('a')}\n`.repeat(20_000) }]);
    await sendRaw(server.port, [head(`Content-Length: ${bytes.length}\r\n`), bytes.subarray(0, 1_000_000)], true);
    await until(async () => (await unfinished()).length === 0);
    await until(() => harness.log.some((entry) => entry.message === 'the client left before the answer'));
    expect(await objects(harness.deps)).toEqual(before);
    expect(harness.log.filter((entry) => entry.level === 'error')).toEqual([]);
  });

  it('are answered although the client still sends what is refused', async () => {
    const huge = Buffer.alloc(30_000_000, 'x');
    const bytes = form([
      { name: 'purpose', body: 'banana' },
      { ...file, body: huge },
    ]);
    const answer = await sendRaw(server.port, [head(`Content-Length: ${bytes.length}\r\n`), bytes]);
    expect(answer).toContain('HTTP/1.1 400');
    expect(answer).toContain('banana');
    expect(await unfinished()).toEqual([]);
  });

  it('are answered although bytes follow the end of the form', async () => {
    const bytes = Buffer.concat([form([purpose, file]), Buffer.alloc(100_000, 'epilogue')]);
    const answer = await sendRaw(server.port, [head(`Content-Length: ${bytes.length}\r\n`), bytes]);
    expect(answer).toContain('HTTP/1.1 200');
  });

  it('are refused with part headers without end, and with many header lines', async () => {
    for (const headers of ['X-A: ', `${'X-A: b\r\n'.repeat(50_000)}`]) {
      const part = `--${BOUNDARY}\r\n${headers}${'y'.repeat(2_000_000)}\r\nContent-Disposition: form-data; name="file"\r\n\r\n`;
      const bytes = Buffer.from(`${part}x\r\n--${BOUNDARY}--\r\n`);
      const answer = await sendRaw(server.port, [head(`Content-Length: ${bytes.length}\r\n`), bytes]);
      expect(answer).toContain('HTTP/1.1 400');
    }
  });
});

describe('openForm', () => {
  const options = {
    fileField: 'file',
    maxBytes: 1_000_000,
    tooLarge: () => new ApiError(413, 'too large'),
    idleMs: 50,
  };
  const request = (body: ReadableStream<Uint8Array>): FormSource => ({
    contentType: `multipart/form-data; boundary=${BOUNDARY}`,
    contentLength: 0,
    body: body.getReader(),
  });

  /** A form that comes in pieces, cut at these places. */
  const inPieces = (bytes: Buffer, places: readonly number[]): FormSource => {
    const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((x, y) => x - y);
    const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
    return request(toByteStream(eachOf(pieces)));
  };

  async function* eachOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }

  async function readForm(source: FormSource) {
    const opened = await openForm(source, options);
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of opened.file.content) chunks.push(Buffer.from(chunk));
      const fields = await opened.fields();
      return { filename: opened.file.filename, content: Buffer.concat(chunks).toString('latin1'), fields: [...fields] };
    } finally {
      await opened.close();
    }
  }

  it('gives the file byte for byte, wherever the body is cut and whatever the file holds', async () => {
    const bit = fc.constantFrom(
      '\r',
      '\n',
      '\r\n',
      '-',
      '--',
      '\r\n--',
      `--${BOUNDARY}`,
      `\r\n--${BOUNDARY.slice(0, -1)}`,
      'x',
      '\r\n\r\n',
      '\u00ff',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(bit, { maxLength: 12 }),
        fc.array(bit, { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        async (bits, note, places) => {
          // Nothing in it may be the delimiter itself, of which an empty line may be the beginning.
          const content = ['>', ...bits].join('').replaceAll(`\r\n--${BOUNDARY}`, '');
          const text = ['>', ...note].join('').replaceAll(`\r\n--${BOUNDARY}`, '').replaceAll('\u00ff', '');
          fc.pre(!content.includes(`\r\n--${BOUNDARY}`) && !text.includes(`\r\n--${BOUNDARY}`));
          const parts: Part[] = [
            purpose,
            { name: 'note', body: text },
            { ...file, body: Buffer.from(content, 'latin1') },
            { name: 'last', body: text },
          ];
          expect(await readForm(inPieces(form(parts), places))).toEqual({
            filename: 'in.jsonl',
            content,
            fields: [
              ['purpose', 'batch'],
              ['note', text],
              ['last', text],
            ],
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is read with every way to write its boundary, in pieces large and small', async () => {
    const content = `${`${'x'.repeat(999)}\r`.repeat(500)}\r\n--${BOUNDARY.slice(0, -1)}`;
    const bytes = form([purpose, { ...file, body: content }, { name: 'last', body: 'y' }]);
    for (const written of [BOUNDARY, `"${BOUNDARY}"`, `${BOUNDARY}; charset=utf-8`]) {
      const source = inPieces(bytes, [200, 70_000, 300_000, 300_007, 500_200]);
      const found = await readForm({ ...source, contentType: `multipart/form-data; boundary=${written}` });
      expect(found.content === content, written).toBe(true);
      expect(found.fields).toEqual([
        ['purpose', 'batch'],
        ['last', 'y'],
      ]);
    }
  });

  it('frees the memory of its body when it is closed, read to its end or not', async () => {
    const bytes = form([purpose, file]);
    for (const length of [bytes.length, bytes.length - 20]) {
      let released = 0;
      const { body, ...source } = inPieces(bytes.subarray(0, length), []);
      const read = body?.read.bind(body) as BodyReader['read'];
      const opened = await openForm({ ...source, body: { read, release: () => released++ } }, options);
      await opened.file.content[Symbol.asyncIterator]().next();
      expect(released).toBe(0);
      await opened.close();
      expect(released).toBe(1);
    }
  });

  it('is cut short wherever the body ends too early, and at every place says so', async () => {
    const whole = form([purpose, { ...file, body: 'a\r\nb' }, { name: 'last', body: 'x' }]);
    for (let end = 0; end < whole.length - 4; end++) {
      await expect(readForm(inPieces(whole.subarray(0, end), [])), `at ${end}`).rejects.toMatchObject({ status: 400 });
    }
  });

  it('gives up a client that sends nothing for too long, before and within the file', async () => {
    const silent = new ReadableStream<Uint8Array>({ start: () => undefined });
    await expect(openForm(request(silent), options)).rejects.toMatchObject({ status: 408 });
    const stalled = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(form([purpose, file], false)),
    });
    const opened = await openForm(request(stalled), options);
    const read = async () => {
      for await (const _chunk of opened.file.content);
    };
    await expect(read()).rejects.toMatchObject({ status: 408, code: 'upload_timeout' });
    await expect(opened.fields()).rejects.toMatchObject({ status: 408 });
    await opened.close();
  });

  it('reads no further than its reader: the sender is held back', async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent === 0) controller.enqueue(form([purpose, { ...file, body: '' }], false).subarray(0, -2));
        sent += 65_536;
        controller.enqueue(Buffer.alloc(65_536, 'x'));
      },
    });
    const opened = await openForm(request(endless), { ...options, idleMs: 60_000 });
    const content = opened.file.content[Symbol.asyncIterator]();
    await content.next();
    // Whatever was to be read ahead is read now.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThan(1_000_000);
    await content.return?.();
  });
});
