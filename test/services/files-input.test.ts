import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/core/api-error.ts';
import { LINE_BLANK, LINE_INVALID } from '../../src/core/plan.ts';
import type { Deps } from '../../src/ports/deps.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { type Harness, openHarness } from '../http/harness.ts';
import { chunksOf, line, lineText, objects, planOf, upload } from './file-inputs.ts';

let harness: Harness;
let deps: Deps;
beforeAll(async () => {
  harness = await openHarness();
  deps = harness.deps;
});
afterAll(() => harness.close());

async function refusal(content: string | Uint8Array, early = false): Promise<ApiError> {
  const before = await objects(deps);
  const error = await upload(deps, content, { early }).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(await objects(deps)).toEqual(before);
  if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${String(error)}`);
  return error;
}

/** [line, code, param] of each finding. */
async function findings(content: string | Uint8Array, chunkBytes?: number) {
  const row = await upload(deps, content, chunkBytes === undefined ? {} : { chunkBytes });
  return row.plan?.errors.map((error) => [error.line, error.code, error.param]);
}

describe('1 – empty files', () => {
  it.each([
    ['no bytes', ''],
    ['only blank lines', '\n\n\n'],
    ['only whitespace', '  \t\r\n   \n \r\n'],
    ['a byte order mark alone', '\ufeff'],
  ])('%s: refused with 400 empty_file', async (_name, content) => {
    for (const early of [false, true]) {
      const error = await refusal(content, early);
      expect(error).toMatchObject({ status: 400, code: 'empty_file', param: 'file' });
      expect(error.message).toMatch(/^Invalid file format for Batch API\. Must be \.jsonl\./);
    }
  });

  it('blank lines between requests are skipped and counted as lines', async () => {
    const row = await upload(deps, `\n${line('a')}\n  \n${line('b')}\n\n`);
    expect(row.plan).toMatchObject({ lines: 5, requests: 2, errorCount: 0 });
    expect((await planOf(deps, row)).map((record) => record.flags)).toEqual([LINE_BLANK, 0, LINE_BLANK, 0, LINE_BLANK]);
  });
});

describe('2 – no line feed at the end', () => {
  it('the last line counts', async () => {
    const row = await upload(deps, `${line('a')}\n${line('b')}`);
    expect(row.plan).toMatchObject({ lines: 2, requests: 2, errorCount: 0 });
    const records = await planOf(deps, row);
    expect(await lineText(deps, row, records[1]!)).toBe(line('b'));
  });
});

describe('3 – line ends and encodings', () => {
  it('CRLF is accepted, and the plan frames the line without it', async () => {
    const row = await upload(deps, `${line('a')}\r\n${line('b')}\r\n`);
    expect(row.plan).toMatchObject({ lines: 2, requests: 2, errorCount: 0 });
    for (const [index, record] of (await planOf(deps, row)).entries()) {
      expect(await lineText(deps, row, record)).toBe(line(index === 0 ? 'a' : 'b'));
    }
  });

  it('a raw CR inside a string is no JSON: a line error', async () => {
    expect(await findings(`${line('a')}\n${line('b').replace('hi', 'h\ri')}\n`)).toEqual([
      [2, 'invalid_json_line', null],
    ]);
  });

  it('a byte order mark is tolerated and not part of the first line', async () => {
    const row = await upload(deps, `\ufeff${line('a')}\n`);
    expect(row.plan).toMatchObject({ requests: 1, errorCount: 0 });
    expect((await planOf(deps, row))[0]).toMatchObject({ offset: 3 });
    expect(row.bytes).toBe(Buffer.byteLength(line('a')) + 4);
  });

  it.each([
    ['little-endian with a mark', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['little-endian without', (text: string) => Buffer.from(text, 'utf16le')],
    ['big-endian', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
  ])('UTF-16 %s: refused with 400, and named', async (_name, encode) => {
    const error = await refusal(encode(`${line('a')}\n${line('b')}\n`));
    expect(error).toMatchObject({ status: 400, code: 'invalid_file_format' });
    expect(error.message).toContain('UTF-16');
  });

  it.each(['hello world', '<html></html>', 'custom_id,method\na,POST', '{\n  "custom_id": "a"\n}', '[\n1\n]'])(
    'a file that begins with no JSON line (%j): refused with 400',
    async (content) => {
      const error = await refusal(content);
      expect(error).toMatchObject({ status: 400, code: 'invalid_file_format', param: 'file' });
      expect(error.message).toMatch(/^Invalid file format for Batch API\. Must be \.jsonl\. Line 1 is not JSON/);
    },
  );
});

describe('4 – separators and surrogates inside strings', () => {
  it('raw U+2028, U+2029 and U+0085, escaped NUL and lone surrogates are accepted, one request each', async () => {
    const raw = line('a').replace('hi', '\u2028\u2029\u0085');
    const escaped = line('b').replace('hi', '\\u0000\\ud800');
    const row = await upload(deps, `${raw}\n${escaped}\n`, { chunkBytes: 1 });
    expect(row.plan).toMatchObject({ lines: 2, requests: 2, errorCount: 0 });
    expect(await lineText(deps, row, (await planOf(deps, row))[0]!)).toBe(raw);
  });
});

describe('5 – invalid UTF-8', () => {
  const broken = (id: string) => {
    const bytes = Buffer.from(`${line(id)}\n`);
    bytes[bytes.indexOf('hi')] = 0xff;
    return bytes;
  };

  it('in any line, the first included, is an error of that line', async () => {
    expect(await findings(Buffer.concat([broken('a'), Buffer.from(`${line('b')}\n`), broken('c')]))).toEqual([
      [1, 'invalid_json_line', null],
      [3, 'invalid_json_line', null],
    ]);
  });

  it('characters cut by chunks are whole, broken ones are not', async () => {
    const text = `${line('ü€𝄞')}\n${line('é')}\n`;
    for (const chunkBytes of [1, 2, 3, 5]) expect(await findings(text, chunkBytes)).toEqual([]);
    const truncated = Buffer.from(line('x€')).filter((byte) => byte !== 0xac);
    expect(await findings(Buffer.concat([Buffer.from(`${line('a')}\n`), truncated]), 1)).toEqual([
      [2, 'invalid_json_line', null],
    ]);
  });
});

describe('6 – duplicate custom_ids', () => {
  it('adjacent and repeated: an error of every line after the first, naming it', async () => {
    const row = await upload(deps, ['a', 'a', 'b', 'a'].map((id) => line(id)).join('\n'));
    expect(row.plan?.errors.map((error) => [error.line, error.code, error.param])).toEqual([
      [2, 'duplicate_custom_id', 'custom_id'],
      [4, 'duplicate_custom_id', 'custom_id'],
    ]);
    expect(row.plan?.errors[1]?.message).toContain('line 1');
    expect(row.plan).toMatchObject({ lines: 4, requests: 2, errorCount: 2 });
    expect((await planOf(deps, row)).map((record) => record.flags)).toEqual([0, LINE_INVALID, 0, LINE_INVALID]);
  });

  it('the first and the last of 50,000 lines', async () => {
    const ids = Array.from({ length: 50_000 }, (_, index) => `request-${index}`);
    const row = await upload(deps, `${[...ids, ids[0]].map((id) => line(id)).join('\n')}\n`);
    expect(row.plan).toMatchObject({ lines: 50_001, requests: 50_000, errorCount: 1 });
    expect(row.plan?.errors).toMatchObject([{ line: 50_001, code: 'duplicate_custom_id' }]);
  });

  it('ids that differ by case or Unicode form are different', async () => {
    expect(await findings(['a', 'A', 'é', 'e\u0301'].map((id) => line(id)).join('\n'))).toEqual([]);
  });

  it('the number 1 is not the string "1": the number is an error of its own', async () => {
    expect(await findings(`${line('1')}\n${line(1)}\n`)).toEqual([[2, 'invalid_type', 'custom_id']]);
  });

  it('all 5,000 lines alike: the first hundred are shown, all are counted', async () => {
    const row = await upload(deps, `${line('same')}\n`.repeat(5_000));
    expect(row.plan?.errors).toHaveLength(DEFAULT_SETTINGS.maxLineErrors);
    expect(row.plan).toMatchObject({ requests: 1, errorCount: 4_999 });
  });
});

describe('7 – custom_ids', () => {
  it.each([
    [undefined, 'missing_required_parameter'],
    ['', 'empty_string'],
    [null, 'invalid_type'],
    [7, 'invalid_type'],
    ['x'.repeat(10_240), 'string_above_max_length'],
  ])('%.12j: a line error', async (id, code) => {
    expect(await findings(`${line('ok')}\n${line(id)}\n`)).toEqual([[2, code, 'custom_id']]);
  });

  it('with slashes, dots, emoji, line feeds and names of Object.prototype are accepted', async () => {
    const ids = ['a/b', '..', '../../x', '🐟', 'a\nb', '__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const row = await upload(deps, ids.map((id) => line(id)).join('\n'));
    expect(row.plan).toMatchObject({ requests: ids.length, errorCount: 0 });
  });
});

describe('8 – JSON that is no object', () => {
  it.each(['null', '[1]', '"x"', '7'])('%s: a line error, also on the first line', async (text) => {
    expect(await findings(`${text}\n${line('a')}\n`)).toEqual([[1, 'invalid_json_line', null]]);
  });
});

describe('9 – bodies, methods and URLs', () => {
  it.each([
    [{ body: undefined }, 'missing_required_parameter', 'body'],
    [{ body: 'x' }, 'invalid_type', 'body'],
    [{ body: [] }, 'invalid_type', 'body'],
    [{ method: 'GET' }, 'invalid_value', 'method'],
    [{ url: 'https://api.openai.com/v1/chat/completions' }, 'invalid_url', 'url'],
    [{ url: '/v1/chat/completions?x' }, 'invalid_url', 'url'],
  ])('%j: a line error %s', async (change, code, param) => {
    expect(await findings(`${line('a')}\n${line('b', change)}\n`)).toEqual([[2, code, param]]);
  });

  it("Azure's short url is the endpoint; another endpoint is planned, for the batch to judge", async () => {
    const embedding = { url: '/v1/embeddings', body: { model: 'e', input: 'x' } };
    const row = await upload(deps, `${line('a', { url: '/chat/completions' })}\n${line('b', embedding)}\n`);
    expect(row.plan?.endpoints).toEqual([
      { endpoint: '/v1/chat/completions', count: 1, firstLine: 1 },
      { endpoint: '/v1/embeddings', count: 1, firstLine: 2 },
    ]);
  });
});

describe('10 – body members', () => {
  const withBody = (id: string, change: object) => line(id, { body: { model: 'model-a', messages: [], ...change } });

  it('stream: true and a missing model are line errors; background: true too', async () => {
    const background = { url: '/v1/responses', body: { model: 'm', input: 'x', background: true } };
    const text = [withBody('a', { stream: true }), withBody('b', { model: undefined }), line('c', background)];
    expect(await findings(text.join('\n'))).toEqual([
      [1, 'streaming_unsupported', 'body.stream'],
      [2, 'invalid_request', 'body.model'],
      [3, 'invalid_request', 'body.background'],
    ]);
  });

  it('n, store, stream: false and unknown members pass; models may be mixed', async () => {
    const lines = [
      withBody('a', { n: 3, store: true, stream: false, x: 1 }),
      withBody('b', { model: 'no-such-model' }),
    ];
    const row = await upload(deps, lines.join('\n'));
    expect(row.plan).toMatchObject({
      requests: 2,
      errorCount: 0,
      models: [
        { name: 'model-a', count: 1 },
        { name: 'no-such-model', count: 1 },
      ],
    });
    expect((await planOf(deps, row)).map((record) => record.model)).toEqual([0, 1]);
  });
});

describe('11 – extreme lines', () => {
  it('a line of 200 MB is one error with its size; the lines around it are planned', async () => {
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${line('a')}\n`);
      for (let index = 0; index < 200; index++) yield Buffer.alloc(1_000_000, 0x78);
      yield Buffer.from(`\n${line('b')}\n`);
    }
    const row = await upload(deps, content());
    expect(row.plan).toMatchObject({ lines: 3, requests: 2, errorCount: 1 });
    expect(row.plan?.errors[0]).toMatchObject({ line: 2, code: 'line_too_long', param: null });
    expect((await planOf(deps, row))[1]).toMatchObject({ length: 200_000_000, flags: LINE_INVALID });
    await deps.files.delete(row.contentKey);
  });

  it('a line with a 50 MB image is accepted', async () => {
    const image = `data:image/png;base64,${'A'.repeat(50_000_000)}`;
    const body = {
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: image } }] }],
    };
    const row = await upload(deps, `${line('a', { body })}\n`);
    expect(row.plan).toMatchObject({ requests: 1, errorCount: 0 });
    await deps.files.delete(row.contentKey);
  });

  it('nesting of 100,000 levels and the number 1e400 are line errors; of duplicate keys the last counts', async () => {
    const deep = line('a').replace('"model"', `"x":${'['.repeat(100_000)}${']'.repeat(100_000)},"model"`);
    const huge = line('b').replace('"model"', '"temperature":1e400,"model"');
    const twice = line('c').replace('{', '{"custom_id":"a",');
    const row = await upload(deps, [deep, huge, twice].join('\n'));
    expect(row.plan?.errors.map((error) => [error.line, error.code, error.param])).toEqual([
      [1, 'invalid_json_line', null],
      [2, 'invalid_json_line', 'body.temperature'],
    ]);
    expect(row.plan).toMatchObject({ requests: 1 });
  });

  it('a million members in one object are accepted', async () => {
    const wide = `{${Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join()}}`;
    const row = await upload(deps, line('a').replace('"model"', `"x":${wide},"model"`));
    expect(row.plan).toMatchObject({ requests: 1, errorCount: 0 });
  });
});

describe('12 – limits', () => {
  const withSettings = (change: object): Deps => ({ ...deps, settings: { ...DEFAULT_SETTINGS, ...change } });

  it('as many lines as allowed are accepted, one more is 400', async () => {
    const few = withSettings({ maxLines: 1_000 });
    const text = (count: number) => Array.from({ length: count }, (_, index) => line(`r${index}`)).join('\n');
    expect((await upload(few, text(1_000))).plan).toMatchObject({ requests: 1_000 });
    await expect(upload(few, text(1_001))).rejects.toMatchObject({ status: 400, code: 'too_many_lines' });
    await expect(upload(few, '\n'.repeat(1_001), { early: true })).rejects.toMatchObject({ code: 'too_many_lines' });
  });

  it('as many bytes as allowed are accepted, one more is 413 and leaves nothing', async () => {
    const text = `${line('a')}\n`;
    const small = withSettings({ maxFileBytes: Buffer.byteLength(text) });
    expect((await upload(small, text)).bytes).toBe(text.length);
    const before = await objects(deps);
    await expect(upload(small, `${text}\n`)).rejects.toMatchObject({ status: 413, code: 'file_too_large' });
    await expect(upload(small, `${text}\n`, { purpose: 'user_data' })).rejects.toMatchObject({ status: 413 });
    expect(await objects(deps)).toEqual(before);
  });

  it('as many models as allowed are accepted, one more is 400', async () => {
    const few = withSettings({ maxModels: 3 });
    const text = (count: number) =>
      Array.from({ length: count }, (_, index) => line(`r${index}`, { body: { model: `m${index}`, messages: [] } }));
    expect((await upload(few, text(3).join('\n'))).plan?.models).toHaveLength(3);
    await expect(upload(few, text(4).join('\n'))).rejects.toMatchObject({ status: 400, code: 'too_many_models' });
  });

  it('a line of the allowed length is accepted, with CR and byte order mark besides; one byte more is an error', async () => {
    const text = line('a');
    const exact = withSettings({ maxLineBytes: Buffer.byteLength(text) });
    expect((await upload(exact, `\ufeff${text}\r\n`)).plan).toMatchObject({ errorCount: 0 });
    const short = withSettings({ maxLineBytes: Buffer.byteLength(text) - 1 });
    expect((await upload(short, `\ufeff${text}\r\n`)).plan?.errors).toMatchObject([{ line: 1, code: 'line_too_long' }]);
  });

  it('300,000 tiny lines are planned across block and chunk borders', async () => {
    const count = 300_000;
    const row = await upload(deps, '\n'.repeat(count) + line('a'), { chunkBytes: 1_000_003 });
    expect(row.plan).toMatchObject({ lines: count + 1, requests: 1 });
    const records = await planOf(deps, row);
    expect(records).toHaveLength(count + 1);
    expect(records.every((record, index) => record.offset === index)).toBe(true);
  });

  it('a file that is no batch input needs no lines: any bytes are kept', async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) % 256);
    for (const early of [false, true]) {
      const row = await upload(deps, bytes, { purpose: 'user_data', early });
      expect(row).toMatchObject({ plan: null, planKey: null, bytes: 100_000, expiresAt: null });
      expect(Buffer.compare(await deps.files.readRange(row.contentKey, { offset: 0, length: 200_000 }), bytes)).toBe(0);
      expect(await objects(deps)).not.toContain(`${row.contentKey}.plan`);
    }
  });

  it('a source that fails leaves nothing behind', async () => {
    const before = await objects(deps);
    async function* content(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(`${line('a')}\n`.repeat(100));
      throw new Error('connection lost');
    }
    await expect(upload(deps, content())).rejects.toThrow('connection lost');
    expect(await objects(deps)).toEqual(before);
  });
});
