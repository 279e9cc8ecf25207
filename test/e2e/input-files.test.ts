import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalOf, start, upload } from './answers.ts';
import { assertInvariants, readEntries } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, type Weir, waitForBatch } from './weir.ts';

const settings = { max_lines: 300, max_file_bytes: 4_000_000, max_line_bytes: 2_000_000, max_line_errors: 5 };
const utf16 = (text: string, mark: boolean): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from((mark ? '\ufeff' : '') + text, 'utf16le'));
const line = (customId: unknown, change: object = {}, body: object = {}): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 8, ...body },
    ...change,
  });

let pools: Pools;
let weir: Weir;

beforeAll(async () => {
  pools = await startPools([{ models: ['gpt-4o-mini', 'other'], log_size: 50 }]);
  weir = await startWeir({
    providers: {
      pool: {
        kind: 'vllm',
        base_urls: [pools.servers[0]?.baseUrl],
        models: ['gpt-4o-mini', 'other'],
        price: { input: 0.15, output: 0.6 },
      },
    },
    settings,
  });
});
afterAll(async () => {
  await weir?.stop();
  await pools?.stop();
});

describe('a file that is no batch input is refused at upload', () => {
  const lines = chatLines(3);
  it.each<[string, string | Uint8Array<ArrayBuffer>, number, string]>([
    ['an empty file: 400 empty_file', '', 400, 'empty_file'],
    ['only line feeds: 400 empty_file', '\n\n\n', 400, 'empty_file'],
    ['only spaces, tabs and CRLF: 400 empty_file', ' \t\r\n  \r\n', 400, 'empty_file'],
    ['only a byte order mark: 400 empty_file', '\ufeff', 400, 'empty_file'],
    ['UTF-16 with a mark: 400 invalid_file_format', utf16(lines, true), 400, 'invalid_file_format'],
    ['UTF-16 without a mark: 400 invalid_file_format', utf16(lines, false), 400, 'invalid_file_format'],
    ['UTF-16, big-endian: 400 invalid_file_format', utf16(lines, true).slice().reverse(), 400, 'invalid_file_format'],
    ['lone CRs as line ends: 400 invalid_file_format', lines.replaceAll('\n', '\r'), 400, 'invalid_file_format'],
    ['CSV: 400 invalid_file_format', 'custom_id,prompt\n1,Hi\n', 400, 'invalid_file_format'],
    [
      'one JSON array over many lines: 400',
      `[\n${lines.trim().replaceAll('\n', ',\n')}\n]\n`,
      400,
      'invalid_file_format',
    ],
    ['one line more than allowed: 400 too_many_lines', chatLines(301), 400, 'too_many_lines'],
    ['one byte more than allowed: 413 file_too_large', 'x'.repeat(4_000_001), 413, 'file_too_large'],
  ])('%s', async (_name, content, status, code) => {
    expect(await refusalOf(upload(weir, content))).toMatchObject({ status, code, param: 'file' });
  });

  it('exactly as many lines as allowed are taken', async () => {
    await expect(upload(weir, chatLines(300))).resolves.toMatch(/^file-/);
  });
});

describe('one bad line fails the whole batch: nothing is sent, nothing is owed', () => {
  const nested = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  it.each<[string, string, string, string | null]>([
    ['broken JSON: invalid_json_line', '{"custom_id": "b", ', 'invalid_json_line', null],
    ['trailing garbage: invalid_json_line', `${line('b')} x`, 'invalid_json_line', null],
    ['null: invalid_json_line', 'null', 'invalid_json_line', null],
    ['an array: invalid_json_line', '[1]', 'invalid_json_line', null],
    ['a string: invalid_json_line', '"x"', 'invalid_json_line', null],
    ['a number: invalid_json_line', '7', 'invalid_json_line', null],
    [
      '1e400: invalid_json_line, by name',
      line('b').replace('"max_tokens":8', '"seed":1e400'),
      'invalid_json_line',
      'body.seed',
    ],
    ['nested 100,000 deep: invalid_json_line', line('b').replace('"Hi"', nested), 'invalid_json_line', null],
    ['longer than a line may be: line_too_long', line('b', { pad: 'x'.repeat(2_000_000) }), 'line_too_long', null],
    ['no custom_id: missing_required_parameter', line(undefined), 'missing_required_parameter', 'custom_id'],
    ['custom_id null: invalid_type', line(null), 'invalid_type', 'custom_id'],
    ['custom_id 1: invalid_type', line(1), 'invalid_type', 'custom_id'],
    ['custom_id empty: empty_string', line(''), 'empty_string', 'custom_id'],
    ['custom_id of 10 kB: string_above_max_length', line('x'.repeat(10_000)), 'string_above_max_length', 'custom_id'],
    ['custom_id of the first line again: duplicate_custom_id', line('a'), 'duplicate_custom_id', 'custom_id'],
    ['no body: missing_required_parameter', line('b', { body: undefined }), 'missing_required_parameter', 'body'],
    ['a string as body: invalid_type', line('b', { body: 'Hi' }), 'invalid_type', 'body'],
    ['an array as body: invalid_type', line('b', { body: [] }), 'invalid_type', 'body'],
    ['no method: missing_required_parameter', line('b', { method: undefined }), 'missing_required_parameter', 'method'],
    ['method GET: invalid_value', line('b', { method: 'GET' }), 'invalid_value', 'method'],
    ['no url: missing_required_parameter', line('b', { url: undefined }), 'missing_required_parameter', 'url'],
    [
      'a url of another family: invalid_url',
      line('b', { url: '/v1/embeddings' }, { input: 'x' }),
      'invalid_url',
      'url',
    ],
    ['a full URL: invalid_url', line('b', { url: 'https://api.openai.com/v1/chat/completions' }), 'invalid_url', 'url'],
    ['another host: invalid_url', line('b', { url: '//evil.example/v1/chat/completions' }), 'invalid_url', 'url'],
    ['dots: invalid_url', line('b', { url: '/v1/files/../chat/completions' }), 'invalid_url', 'url'],
    ['encoded dots: invalid_url', line('b', { url: '/v1/%2e%2e/v1/chat/completions' }), 'invalid_url', 'url'],
    ['a query: invalid_url', line('b', { url: '/v1/chat/completions?api-version=1' }), 'invalid_url', 'url'],
    ['a fragment: invalid_url', line('b', { url: '/v1/chat/completions#x' }), 'invalid_url', 'url'],
    ['CRLF: invalid_url', line('b', { url: '/v1/chat/completions\r\nX-Evil: 1' }), 'invalid_url', 'url'],
    ['stream: streaming_unsupported', line('b', {}, { stream: true }), 'streaming_unsupported', 'body.stream'],
    ['background: invalid_request', line('b', {}, { background: true }), 'invalid_request', 'body.background'],
    ['no model: invalid_request', line('b', {}, { model: undefined }), 'invalid_request', 'body.model'],
    ['model 4: invalid_type', line('b', {}, { model: 4 }), 'invalid_type', 'body.model'],
    ['no messages: invalid_request', line('b', {}, { messages: undefined }), 'invalid_request', 'body.messages'],
    ['messages as text: invalid_type', line('b', {}, { messages: 'Hi' }), 'invalid_type', 'body.messages'],
  ])('%s', async (_name, second, code, param) => {
    await expectFailure(`${line('a')}\n\n${second}\n`, { code, param, line: 3 });
  });

  it.each<[string, number[]]>([
    ['a stray continuation byte: invalid_json_line', [0x80]],
    ['an overlong slash: invalid_json_line', [0xc0, 0xaf]],
    ['half a character: invalid_json_line', [0xe2, 0x82]],
    ['an encoded surrogate: invalid_json_line', [0xed, 0xa0, 0x80]],
  ])('%s', async (_name, bytes) => {
    const [head = '', tail = ''] = line('b').split('Hi');
    const bad = Buffer.concat([Buffer.from(`${line('a')}\n${head}`), Buffer.from(bytes), Buffer.from(`${tail}\n`)]);
    await expectFailure(new Uint8Array(bad), { code: 'invalid_json_line', param: null, line: 2 });
  });

  it('invalid UTF-8 in the first line: invalid_json_line, as on any other', async () => {
    const [head = '', tail = ''] = line('a').split('Hi');
    const bad = Buffer.concat([Buffer.from(head), Buffer.from([0xff]), Buffer.from(`${tail}\n${line('b')}\n`)]);
    await expectFailure(new Uint8Array(bad), { code: 'invalid_json_line', param: null, line: 1 });
  });

  it('first and last of 300 lines with one custom_id: duplicate_custom_id on the last', async () => {
    const input = chatLines(299) + line('request-0');
    await expectFailure(input, { code: 'duplicate_custom_id', param: 'custom_id', line: 300 });
  });

  it('more errors than are shown: the first ones by line, and how many more', async () => {
    const errors = await expectFailure(`${line('a')}\n${'[]\n'.repeat(20)}`, { code: 'invalid_json_line', line: 2 });
    expect(errors.map((error) => error.line)).toEqual([2, 3, 4, 5, 6, null]);
    expect(errors.at(-1)).toMatchObject({ code: 'more_errors', message: expect.stringContaining('15') });
  });

  async function expectFailure(content: string | Uint8Array<ArrayBuffer>, error: object) {
    const received = pools.servers[0]?.counters.received;
    const created = await start(weir, await upload(weir, content));
    const ended = await waitForBatch(weir, created.id);
    expect(ended.status).toBe('failed');
    const { batch } = await assertInvariants(weir, ended.id, '');
    expect(batch.errors?.data[0]).toMatchObject(error);
    for (const { message } of batch.errors?.data ?? []) expect(message).toMatch(/\S.{15,}/);
    expect(batch).toMatchObject({ output_file_id: null, error_file_id: null, in_progress_at: null, usage: null });
    expect(batch.request_counts.completed + batch.request_counts.failed).toBe(0);
    expect(await readEntries(weir, ended.id)).toEqual([]);
    expect(pools.servers[0]?.counters.received).toBe(received);
    return batch.errors?.data ?? [];
  }
});
