import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import type { FileObject } from '../../src/protocol/file.ts';
import { line, objects } from '../services/file-inputs.ts';
import { form, type Listening, listen, type Part, sendForm } from './files-server.ts';
import { ADMIN_SECRET, errorOf, type Harness, openHarness } from './harness.ts';

const maxFileBytes = 2_000_000;

let harness: Harness;
let server: Listening;
let client: OpenAI;
beforeAll(async () => {
  harness = await openHarness({ settings: { ...DEFAULT_SETTINGS, maxFileBytes } });
  server = await listen(harness);
  client = server.client;
});
afterAll(async () => {
  await server.close();
  await harness.close();
});

const content = `${line('a')}\n${line('b')}\n`;
const file: Part = { name: 'file', filename: 'in.jsonl', type: 'application/jsonl', body: content };
const purpose: Part = { name: 'purpose', body: 'batch' };

async function create(parts: readonly Part[], headers?: Record<string, string>): Promise<FileObject> {
  const answer = await sendForm(harness, '/v1/files', form(parts), headers);
  expect(answer.status).toBe(200);
  return (await answer.json()) as FileObject;
}

async function refused(parts: readonly Part[], status: number) {
  const before = await objects(harness.deps);
  const answer = await sendForm(harness, '/v1/files', form(parts));
  expect(answer.status).toBe(status);
  expect(await objects(harness.deps)).toEqual(before);
  return errorOf(answer);
}

describe('the official SDK', () => {
  it('creates, retrieves, lists, downloads and deletes a file', async () => {
    const made = await client.files.create({ file: await toFile(Buffer.from(content), 'in.jsonl'), purpose: 'batch' });
    expect(made).toMatchObject({
      object: 'file',
      bytes: content.length,
      filename: 'in.jsonl',
      purpose: 'batch',
      status: 'processed',
      status_details: null,
      expires_at: made.created_at + 30 * 86_400,
    });
    expect(made.id).toMatch(/^file-[0-9A-Za-z]{25}$/);
    expect(await client.files.retrieve(made.id)).toEqual(made);
    expect(await (await client.files.content(made.id)).text()).toBe(content);
    expect((await client.files.list()).data.map((item) => item.id)).toContain(made.id);
    expect(await client.files.delete(made.id)).toEqual({ id: made.id, object: 'file', deleted: true });
    await expect(client.files.retrieve(made.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(client.files.content(made.id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
    await expect(client.files.delete(made.id)).rejects.toMatchObject({ status: 404 });
  });

  it('sends expires_after', async () => {
    const made = await client.files.create({
      file: await toFile(Buffer.from('x'), 'x.bin'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 7_200 },
    });
    expect(made.expires_at).toBe(made.created_at + 7_200);
  });

  it('sends a file of 1,319 requests and gets the same bytes back', async () => {
    const text = Buffer.from(Array.from({ length: 1_319 }, (_, index) => line(`r${index}`)).join('\n'));
    const made = await client.files.create({ file: await toFile(text, 'real.jsonl'), purpose: 'batch' });
    const row = await harness.deps.store.files.getAny(made.id);
    expect(row?.plan).toMatchObject({ requests: 1_319, errorCount: 0 });
    expect(Buffer.compare(Buffer.from(await (await client.files.content(made.id)).arrayBuffer()), text)).toBe(0);
  });

  it('is told by 400 what is wrong with a file and by 413 that it is too large, while it still sends', async () => {
    await expect(
      client.files.create({ file: await toFile(Buffer.from('not json'), 'a.jsonl'), purpose: 'batch' }),
    ).rejects.toMatchObject({ status: 400, code: 'invalid_file_format', param: 'file' });
    await expect(
      client.files.create({ file: await toFile(Buffer.alloc(60_000_000, 'a'), 'a.bin'), purpose: 'user_data' }),
    ).rejects.toMatchObject({ status: 413, code: 'file_too_large' });
    expect((await client.files.list()).has_more).toBe(false);
  });
});

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
      const made = await create(parts);
      expect(made).toMatchObject({ bytes: content.length, purpose: 'batch', expires_at: made.created_at + 3_600 });
    }
  });

  it('takes expires_after with dots too', async () => {
    const made = await create([
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
    const made = await create([purpose, part as unknown as Part]);
    expect(made).toMatchObject({ filename, bytes: content.length });
    const download = await harness.send('GET', `/v1/files/${made.id}/content`);
    expect(download.status).toBe(200);
    expect(await download.text()).toBe(content);
  });

  it('refuses a filename that is too long', async () => {
    expect(await refused([purpose, { ...file, filename: 'x'.repeat(1_025) }], 400)).toMatchObject({
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
      const answer = await sendForm(harness, '/v1/files', stream);
      expect(answer.status).toBe(200);
      const { id, bytes: size } = (await answer.json()) as FileObject;
      expect(size).toBe(content.length);
      expect(await (await harness.send('GET', `/v1/files/${id}/content`)).text()).toBe(content);
    }
  });

  it('takes an empty file that is no batch input', async () => {
    const made = await create([
      { name: 'purpose', body: 'user_data' },
      { ...file, body: '' },
    ]);
    expect(made.bytes).toBe(0);
    const download = await harness.send('GET', `/v1/files/${made.id}/content`);
    expect([download.status, download.headers.get('content-length'), await download.text()]).toEqual([200, '0', '']);
  });

  it('takes a file that contains what looks like a boundary', async () => {
    const body = `--${'x'.repeat(10)}\r\n\r\n--weir-boundary-12\r\n--\r\n\n\r`;
    const made = await create([
      { name: 'purpose', body: 'user_data' },
      { ...file, body },
    ]);
    expect(await (await harness.send('GET', `/v1/files/${made.id}/content`)).text()).toBe(body);
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
    expect(await refused(parts as Part[], 400)).toMatchObject({ code, param, type: 'invalid_request_error' });
  });

  it('refuses a form whose end is missing, wherever it is cut, and keeps nothing', async () => {
    const whole = form([purpose, file]);
    const late = form([file, purpose]);
    const before = await objects(harness.deps);
    for (const bytes of [whole, late]) {
      for (let length = 0; length < bytes.length - 4; length += 7) {
        const answer = await sendForm(harness, '/v1/files', bytes.subarray(0, length));
        expect([400, length]).toEqual([answer.status, length]);
        await errorOf(answer);
      }
    }
    expect(await objects(harness.deps)).toEqual(before);
  });

  it.each([
    ['application/json', 400],
    ['multipart/form-data', 400],
    ['application/x-www-form-urlencoded', 400],
    ['multipart/mixed; boundary=weir-boundary-123', 400],
  ])('refuses the content type %s', async (type, status) => {
    const answer = await sendForm(harness, '/v1/files', form([purpose, file]), { 'content-type': type });
    expect(answer.status).toBe(status);
    expect((await errorOf(answer)).code).toBe('invalid_form');
  });

  it('refuses compressed forms with 415', async () => {
    for (const encoding of ['gzip', 'deflate', 'br']) {
      const answer = await sendForm(harness, '/v1/files', form([purpose, file]), { 'content-encoding': encoding });
      expect(answer.status).toBe(415);
    }
  });

  it('refuses a declared length beyond the limit before it reads', async () => {
    const answer = await sendForm(harness, '/v1/files', form([purpose, file]), { 'content-length': '99999999' });
    expect(answer.status).toBe(413);
    expect((await errorOf(answer)).message).toContain(`At most ${maxFileBytes} bytes`);
  });

  it('gives the same file again under an Idempotency-Key, and 409 for another one', async () => {
    const headers = { 'idempotency-key': 'file-once' };
    const first = await create([purpose, file], headers);
    expect(await create([purpose, file], headers)).toEqual(first);
    const other = await sendForm(harness, '/v1/files', form([purpose, { ...file, body: `${line('z')}\n` }]), headers);
    expect(other.status).toBe(409);
  });
});

describe('GET /v1/files', () => {
  it('pages through files in both orders, by purpose, and past a deleted cursor', async () => {
    const own = await harness.makeKey({ tenant_id: 'lister' });
    const asTenant = new OpenAI({ apiKey: own.secret, baseURL: client.baseURL, maxRetries: 0 });
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      const body = await toFile(Buffer.from(`${line(`r${index}`)}\n`), `${index}.jsonl`);
      ids.push((await asTenant.files.create({ file: body, purpose: index % 2 === 0 ? 'batch' : 'user_data' })).id);
    }
    const collect = async (query: OpenAI.FileListParams) => {
      const found: string[] = [];
      for await (const item of asTenant.files.list(query)) found.push(item.id);
      return found;
    };
    expect(await collect({})).toEqual(ids.toReversed());
    expect(await collect({ limit: 2 })).toEqual(ids.toReversed());
    expect(await collect({ limit: 3, order: 'asc' })).toEqual(ids);
    expect(await collect({ purpose: 'user_data', limit: 1 })).toEqual([ids[5], ids[3], ids[1]]);
    const list = async (query: string) => (await harness.send('GET', `/v1/files?${query}`, { key: own.secret })).json();
    expect(await list('limit=2')).toMatchObject({ object: 'list', first_id: ids[6], last_id: ids[5], has_more: true });
    expect(await list('limit=7')).toMatchObject({ first_id: ids[6], last_id: ids[0], has_more: false });
    await asTenant.files.delete(ids[5]!);
    expect((await asTenant.files.list({ after: ids[5]! })).data.map((item) => item.id)).toEqual(
      ids.slice(0, 5).reverse(),
    );
    expect(await list('purpose=vision')).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it.each(['limit=0', 'limit=10001', 'limit=-1', 'limit=x', 'limit=', 'limit=1.5', 'order=up', 'after=file-unknown'])(
    'refuses ?%s with 400',
    async (query) => {
      const answer = await harness.send('GET', `/v1/files?${query}`);
      expect(answer.status).toBe(400);
      expect((await errorOf(answer)).param).toBe(query.split('=')[0]);
    },
  );

  it('answers unknown and foreign ids alike, with 404', async () => {
    const { id } = await create([purpose, file]);
    const { secret } = await harness.makeKey({ tenant_id: 'stranger' });
    for (const path of ['', '/content']) {
      const foreign = await harness.send('GET', `/v1/files/${id}${path}`, { key: secret });
      const unknown = await harness.send('GET', `/v1/files/${id.slice(0, -4)}zzzz${path}`, { key: secret });
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      const text = async (answer: Response, shown: string) => (await answer.text()).replace(shown, '');
      expect(await text(foreign, id)).toBe(await text(unknown, `${id.slice(0, -4)}zzzz`));
    }
    expect((await harness.send('DELETE', `/v1/files/${id}`, { key: secret })).status).toBe(404);
    expect((await harness.send('GET', `/v1/files/${id}`)).status).toBe(200);
    for (const odd of ['file-..%2f..%2fetc', '%00', 's3:%2f%2fbucket', '__proto__']) {
      expect((await harness.send('GET', `/v1/files/${odd}/content`)).status).toBe(404);
    }
  });
});

describe('GET /v1/files/{id}/content', () => {
  const text = `${'0123456789'.repeat(20_000)}`;
  let id: string;
  beforeAll(async () => {
    const made = await create([
      { name: 'purpose', body: 'user_data' },
      { ...file, filename: "ü'();%<>.html", body: text },
    ]);
    id = made.id;
  });
  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://127.0.0.1:${server.port}/v1/files/${id}/content`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_SECRET}`, ...headers },
    });

  it('sends the bytes with their length, tag and a safe type and name', async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-length': String(text.length),
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename="_'\(\);_<>\.html"; filename\*=UTF-8''%C3%BC%27%28%29%3B%25%3C%3E\.html$/,
    );
    expect(answer.headers.get('etag')).toMatch(/^"[0-9a-f]{64}"$/);
    expect(await answer.text()).toBe(text);
    const jsonl = await create([purpose, file]);
    const download = await harness.send('GET', `/v1/files/${jsonl.id}/content`);
    expect(download.headers.get('content-type')).toBe('application/jsonl');
    await download.body?.cancel();
  });

  it('answers HEAD with the same headers and no body', async () => {
    const answer = await get({}, 'HEAD');
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([
      200,
      String(text.length),
      '',
    ]);
  });

  it('answers 304 to a client that has it', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('etag') ?? '';
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await get({ 'if-none-match': tag });
      expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([304, etag, '']);
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=199990-', 199_990, 199_999],
    ['bytes=-5', 199_995, 199_999],
    ['bytes=5-5', 5, 5],
    ['bytes=199999-500000', 199_999, 199_999],
    ['bytes=-999999', 0, 199_999],
  ])('serves the range %s', async (range, first, last) => {
    const answer = await get({ range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes ${first}-${last}/${text.length}`);
    expect(answer.headers.get('content-length')).toBe(String(last - first + 1));
    expect(await answer.text()).toBe(text.slice(first, last + 1));
  });

  it.each(['bytes=200000-', 'bytes=300000-300001', 'bytes=-0'])(
    'answers 416 to %s and tells the size',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(416);
      expect(answer.headers.get('content-range')).toBe(`bytes */${text.length}`);
      expect((await errorOf(answer)).code).toBe('range_not_satisfiable');
    },
  );

  it.each(['bytes=9-0', 'lines=0-1', 'bytes=a-b', 'bytes=-', 'bytes=0-1,5-6', 'bytes'])(
    'sends the whole for %s',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe(text);
    },
  );

  it('honours If-Range', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('etag') ?? '';
    expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await get({ range: 'bytes=0-1', 'if-range': '"old"' })).status).toBe(200);
  });
});
