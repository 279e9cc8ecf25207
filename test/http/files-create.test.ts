import { describe, expect, it } from 'vitest';
import type { FileObject } from '../../src/protocol/file.ts';
import { line, objects } from '../services/file-inputs.ts';
import { content, create, FILE_BYTES_MAX, file, purpose, refused, serveFiles } from './files-served.ts';
import { form, type Part, sendForm } from './files-server.ts';
import { errorOf } from './harness.ts';

const served = serveFiles();

describe('POST /v1/files', () => {
  it('takes the parts in any order', async () => {
    const expiry = [
      { name: 'expires_after[anchor]', body: 'created_at' },
      { name: 'expires_after[seconds]', body: '3600' },
    ];
    for (const parts of [
      [purpose, ...expiry, file],
      [file, purpose, ...expiry],
      [expiry[0]!, file, expiry[1]!, purpose],
    ]) {
      const made = await create(served, parts);
      expect(made).toMatchObject({ bytes: content.length, purpose: 'batch', expires_at: made.created_at + 3_600 });
    }
  });

  it('takes expires_after with dots too', async () => {
    const made = await create(served, [
      { name: 'expires_after.anchor', body: 'created_at' },
      { name: 'expires_after.seconds', body: '3600' },
      purpose,
      file,
    ]);
    expect(made.expires_at).toBe(made.created_at + 3_600);
  });

  it.each([
    ['without a filename or type', { filename: undefined, type: undefined }, 'upload'],
    ['named upload', { filename: 'upload' }, 'upload'],
    ['as octet-stream', { type: 'application/octet-stream' }, 'in.jsonl'],
    ['as text/plain', { type: 'text/plain; charset=utf-8' }, 'in.jsonl'],
    ['with an empty name', { filename: '' }, 'upload'],
    ['with a path', { filename: '../../etc/passwd' }, 'passwd'],
    ['with an absolute path', { filename: '/etc/passwd' }, 'passwd'],
    ['with a Windows path', { filename: 'C:\\\\temp\\\\a.jsonl' }, 'a.jsonl'],
    ['with nothing but dots', { filename: '..' }, 'upload'],
    ['with control characters', { filename: 'a\u0000\u001b[31m\u0085b.jsonl' }, 'a[31mb.jsonl'],
    [
      'with an extended name',
      { name: `file"; filename*=UTF-8''na%C3%AFve.jsonl; x="`, filename: undefined },
      'naïve.jsonl',
    ],
    ['with Unicode', { filename: '数据-ü-🐟.jsonl' }, '数据-ü-🐟.jsonl'],
    ['with 1,024 characters of Unicode', { filename: '数'.repeat(1_024) }, '数'.repeat(1_024)],
  ])('takes a file %s', async (_name, change, filename) => {
    const part = Object.fromEntries(Object.entries({ ...file, ...change }).filter(([, value]) => value !== undefined));
    const made = await create(served, [purpose, part as unknown as Part]);
    expect(made).toMatchObject({ filename, bytes: content.length });
    const download = await served.harness.send('GET', `/v1/files/${made.id}/content`);
    expect(download.status).toBe(200);
    expect(await download.text()).toBe(content);
  });

  it('refuses a filename that is too long', async () => {
    expect(await refused(served, [purpose, { ...file, filename: 'x'.repeat(1_025) }], 400)).toMatchObject({
      code: 'string_above_max_length',
      param: 'filename',
    });
  });

  it('takes forms of which every byte comes alone', async () => {
    for (const parts of [
      [purpose, file],
      [file, purpose],
    ]) {
      const bytes = form(parts);
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      });
      const answer = await sendForm(served.harness, '/v1/files', stream);
      expect(answer.status).toBe(200);
      const { id, bytes: size } = (await answer.json()) as FileObject;
      expect(size).toBe(content.length);
      expect(await (await served.harness.send('GET', `/v1/files/${id}/content`)).text()).toBe(content);
    }
  });

  it('takes an empty file that is no batch input', async () => {
    const made = await create(served, [
      { name: 'purpose', body: 'user_data' },
      { ...file, body: '' },
    ]);
    expect(made.bytes).toBe(0);
    const download = await served.harness.send('GET', `/v1/files/${made.id}/content`);
    expect([download.status, download.headers.get('content-length'), await download.text()]).toEqual([200, '0', '']);
  });

  it('takes a file that contains what looks like a boundary', async () => {
    const body = `--${'x'.repeat(10)}\r\n\r\n--weir-boundary-12\r\n--\r\n\n\r`;
    const made = await create(served, [
      { name: 'purpose', body: 'user_data' },
      { ...file, body },
    ]);
    expect(await (await served.harness.send('GET', `/v1/files/${made.id}/content`)).text()).toBe(body);
  });

  it.each([
    ['the purpose is missing', [file], 'missing_required_parameter', 'purpose'],
    ['the purpose is unknown', [{ name: 'purpose', body: 'banana' }, file], 'invalid_value', 'purpose'],
    [
      'the purpose is unknown and comes last',
      [file, { name: 'purpose', body: 'batch_output' }],
      'invalid_value',
      'purpose',
    ],
    ['the file is missing', [purpose], 'missing_required_parameter', 'file'],
    ['there is no part', [], 'missing_required_parameter', 'file'],
    ['the file has another name', [purpose, { ...file, name: 'document' }], 'invalid_form', null],
    ['there are two files', [purpose, file, file], 'invalid_form', null],
    ['a field is too long', [{ name: 'x', body: 'y'.repeat(10_000) }, purpose, file], 'invalid_form', null],
    [
      'there are 10,000 parts',
      [...Array<Part>(10_000).fill({ name: 'x', body: 'y' }), purpose, file],
      'invalid_form',
      null,
    ],
    ['a part has no name', [{ body: 'x' }, purpose, { ...file, name: 'x' }], 'invalid_form', null],
    [
      'the life is too short',
      [
        purpose,
        { name: 'expires_after[anchor]', body: 'created_at' },
        { name: 'expires_after[seconds]', body: '10' },
        file,
      ],
      'invalid_value',
      'expires_after.seconds',
    ],
    [
      'the life has another anchor',
      [purpose, file, { name: 'expires_after[anchor]', body: 'now' }, { name: 'expires_after[seconds]', body: '3600' }],
      'invalid_value',
      'expires_after.anchor',
    ],
    [
      'the life is no number',
      [
        purpose,
        file,
        { name: 'expires_after[anchor]', body: 'created_at' },
        { name: 'expires_after[seconds]', body: 'x' },
      ],
      'invalid_type',
      'expires_after.seconds',
    ],
    [
      'the anchor is missing',
      [purpose, file, { name: 'expires_after[seconds]', body: '3600' }],
      'missing_required_parameter',
      'expires_after.anchor',
    ],
  ])('refuses with 400 when %s, and keeps nothing', async (_name, parts, code, param) => {
    expect(await refused(served, parts as Part[], 400)).toMatchObject({ code, param, type: 'invalid_request_error' });
  });

  it('refuses a form whose end is missing, wherever it is cut, and keeps nothing', async () => {
    const whole = form([purpose, file]);
    const late = form([file, purpose]);
    const before = await objects(served.harness.deps);
    for (const bytes of [whole, late]) {
      for (let length = 0; length < bytes.length - 4; length += 7) {
        const answer = await sendForm(served.harness, '/v1/files', bytes.subarray(0, length));
        expect([400, length]).toEqual([answer.status, length]);
        await errorOf(answer);
      }
    }
    expect(await objects(served.harness.deps)).toEqual(before);
  });

  it.each([
    ['application/json', 400],
    ['multipart/form-data', 400],
    ['application/x-www-form-urlencoded', 400],
    ['multipart/mixed; boundary=weir-boundary-123', 400],
  ])('refuses the content type %s', async (type, status) => {
    const answer = await sendForm(served.harness, '/v1/files', form([purpose, file]), { 'content-type': type });
    expect(answer.status).toBe(status);
    expect((await errorOf(answer)).code).toBe('invalid_form');
  });

  it('refuses compressed forms with 415', async () => {
    for (const encoding of ['gzip', 'deflate', 'br']) {
      const answer = await sendForm(served.harness, '/v1/files', form([purpose, file]), {
        'content-encoding': encoding,
      });
      expect(answer.status).toBe(415);
    }
  });

  it('refuses a declared length beyond the limit before it reads', async () => {
    const answer = await sendForm(served.harness, '/v1/files', form([purpose, file]), { 'content-length': '99999999' });
    expect(answer.status).toBe(413);
    expect((await errorOf(answer)).message).toContain(`At most ${FILE_BYTES_MAX} bytes`);
  });

  it('gives the same file again under an Idempotency-Key, and 409 for another one', async () => {
    const headers = { 'idempotency-key': 'file-once' };
    const first = await create(served, [purpose, file], headers);
    expect(await create(served, [purpose, file], headers)).toEqual(first);
    const other = await sendForm(
      served.harness,
      '/v1/files',
      form([purpose, { ...file, body: `${line('z')}\n` }]),
      headers,
    );
    expect(other.status).toBe(409);
  });
});
