import { describe, expect, it } from 'vitest';
import { checkLine, duplicateCustomId, lineTooLong, parseRequestLine } from '../../src/core/validate-input.ts';

const good = {
  custom_id: 'r-1',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'm', messages: [{ role: 'user', content: 'hi' }] },
};

const check = (value: unknown) => checkText(JSON.stringify(value));
const checkText = (text: string) => checkLine(Buffer.from(text), 7);

/** [code, param] of the error of a line that has this in place of the good one's members. */
function findingOf(change: Record<string, unknown>): [string, string | null] {
  const { error } = check({ ...good, ...change });
  if (error === undefined) throw new Error('the line was accepted');
  expect(error.line).toBe(7);
  expect(error.message).toMatch(/\w+ .*\.$/);
  return [error.code, error.param];
}

const withBody = (change: Record<string, unknown>) => ({ body: { ...good.body, ...change } });

describe('checkLine', () => {
  it('accepts a request and tells its id, model and endpoint', () => {
    expect(check(good)).toEqual({ head: { customId: 'r-1', model: 'm', endpoint: '/v1/chat/completions' } });
  });

  it.each([
    ['/v1/completions', { prompt: 'x' }],
    ['/v1/embeddings', { input: 'x' }],
    ['/v1/responses', { input: 'x' }],
    ['/v1/responses', { prompt: { id: 'pmpt_1' } }],
    ['/v1/moderations', { input: ['x'] }],
    ['/chat/completions', { messages: [] }],
    ['/embeddings', { input: [[1, 2]] }],
  ])('accepts %s with %o', (url, input) => {
    const endpoint = url.startsWith('/v1') ? url : `/v1${url}`;
    expect(check({ ...good, url, body: { model: 'm', ...input } }).head).toMatchObject({ endpoint });
  });

  it.each(['custom_id', 'method', 'url', 'body'])('misses %s by name', (member) => {
    expect(findingOf({ [member]: undefined })).toEqual(['missing_required_parameter', member]);
  });

  it.each([
    [{ custom_id: 1 }, 'custom_id'],
    [{ custom_id: null }, 'custom_id'],
    [{ custom_id: ['a'] }, 'custom_id'],
    [{ method: 1 }, 'method'],
    [{ url: {} }, 'url'],
    [{ body: 'x' }, 'body'],
    [{ body: [] }, 'body'],
    [{ body: null }, 'body'],
    [withBody({ model: 5 }), 'body.model'],
    [withBody({ messages: 'hi' }), 'body.messages'],
    [withBody({ stream: 'true' }), 'body.stream'],
    [withBody({ stream: 1 }), 'body.stream'],
  ])('names the type that is wrong in %o', (change, param) => {
    expect(findingOf(change)).toEqual(['invalid_type', param]);
  });

  it.each([
    [{ custom_id: '' }, 'empty_string', 'custom_id'],
    [{ custom_id: 'x'.repeat(1_025) }, 'string_above_max_length', 'custom_id'],
    [{ custom_id: 'x'.repeat(10_000) }, 'string_above_max_length', 'custom_id'],
    [{ method: 'GET' }, 'invalid_value', 'method'],
    [{ method: 'post' }, 'invalid_value', 'method'],
    [withBody({ model: undefined }), 'invalid_request', 'body.model'],
    [withBody({ model: null }), 'invalid_request', 'body.model'],
    [withBody({ model: '' }), 'invalid_request', 'body.model'],
    [withBody({ model: 'm'.repeat(513) }), 'string_above_max_length', 'body.model'],
    [withBody({ messages: undefined }), 'invalid_request', 'body.messages'],
    [withBody({ messages: null }), 'invalid_request', 'body.messages'],
    [withBody({ stream: true }), 'streaming_unsupported', 'body.stream'],
    [
      { url: '/v1/responses', body: { model: 'm', input: 'x', background: true } },
      'invalid_request',
      'body.background',
    ],
    [{ url: '/v1/responses', body: { model: 'm' } }, 'invalid_request', 'body.input'],
    [{ url: '/v1/embeddings', body: { model: 'm' } }, 'invalid_request', 'body.input'],
    [{ url: '/v1/moderations', body: { model: 'm' } }, 'invalid_request', 'body.input'],
    [{ url: '/v1/completions', body: { model: 'm' } }, 'invalid_request', 'body.prompt'],
  ])('refuses %o as %s', (change, code, param) => {
    expect(findingOf(change)).toEqual([code, param]);
  });

  it.each([
    'https://api.openai.com/v1/chat/completions',
    '//evil.example/v1/chat/completions',
    '/v1/../v1/chat/completions',
    '/v1/%2e%2e/chat/completions',
    '/v1/chat/completions?x=1',
    '/v1/chat/completions#a',
    '/v1/chat/completions/',
    '/v1/chat/completions\r\nHost: x',
    ' /v1/chat/completions',
    '/V1/chat/completions',
    '/v1/files',
    '',
    '__proto__',
    'constructor',
  ])('refuses the URL %j', (url) => {
    expect(findingOf({ url })).toEqual(['invalid_url', 'url']);
  });

  it.each([
    'a/b',
    '../../etc/passwd',
    '🐟',
    'line\nbreak',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    'x'.repeat(1_024),
    ' ',
    '=cmd|calc',
  ])('accepts the custom_id %j as it is', (custom_id) => {
    expect(check({ ...good, custom_id }).head?.customId).toBe(custom_id);
  });

  it.each(['store', 'n', 'unknown', '__proto__', 'api_base', 'service_tier'])(
    'lets the body member %s pass',
    (name) => {
      expect(checkText(JSON.stringify(good).replace('"model"', `"${name}":2,"model"`)).head).toBeDefined();
    },
  );

  it.each(['null', '[1]', '"x"', '7', 'true'])('refuses the JSON value %s, which is no object', (text) => {
    expect(checkText(text).error).toMatchObject({ code: 'invalid_json_line', param: null, line: 7 });
    expect(checkText(text).error?.message).toContain('not a JSON object');
  });

  it.each(['{', '{"a":1}{"b":2}', "{'a':1}", '{"a":NaN}', '{"a":"\r"}', 'hello', '{"a":1,}', '\u0000'])(
    'refuses %j, which is no JSON',
    (text) => {
      expect(checkText(text).error).toMatchObject({ code: 'invalid_json_line', param: null });
    },
  );

  it('says where the JSON breaks, and shows nothing of it', () => {
    const { error } = checkText('{"custom_id":"secret-canary" "method":1}');
    expect(error?.message).toContain('see character 30');
    expect(error?.message).not.toContain('canary');
  });

  it('refuses bytes that are not UTF-8, also inside strings', () => {
    const bytes = Buffer.from(JSON.stringify(good));
    bytes[bytes.indexOf('hi')] = 0xff;
    expect(checkLine(bytes, 2).error).toMatchObject({ code: 'invalid_json_line', line: 2 });
    expect(checkLine(bytes, 2).error?.message).toContain('UTF-8');
  });

  it('accepts raw U+2028, U+2029 and U+0085, escaped NUL and lone surrogates in strings', () => {
    const text = JSON.stringify(good).replace('hi', '\u2028\u2029\u0085\\u0000\\ud800');
    expect(checkText(text).head).toBeDefined();
  });

  it.each([
    ['1e400', 'body.temperature'],
    ['-1e400', 'body.temperature'],
    [`1${'0'.repeat(400)}`, 'body.temperature'],
  ])('names a number that is too large: %.10s', (number, param) => {
    const text = JSON.stringify(good).replace('"model"', `"temperature":${number},"model"`);
    expect(checkText(text).error).toMatchObject({ code: 'invalid_json_line', param });
  });

  it('names a number that is too large inside arrays, and leaves large finite ones alone', () => {
    const text = JSON.stringify({ ...good, body: { model: 'm', messages: [{ role: 'user', x: [1, 2] }] } });
    expect(checkText(text.replace('[1,2]', '[1,9e999]')).error?.param).toBe('body.messages[0].x[1]');
    expect(checkText(text.replace('[1,2]', '[1,1.7e308]')).head).toBeDefined();
  });

  it('refuses nesting beyond 512 levels without falling over', () => {
    const nest = (depth: number) =>
      checkText(JSON.stringify(good).replace('"model"', `"x":${'['.repeat(depth)}${']'.repeat(depth)},"model"`));
    expect(nest(510).head).toBeDefined();
    for (const depth of [511, 100_000]) {
      expect(nest(depth).error).toMatchObject({ code: 'invalid_json_line' });
      expect(nest(depth).error?.message).toContain('512 levels');
    }
  });

  it('takes the last of duplicate keys, as every JSON.parse does', () => {
    const text = JSON.stringify(good).replace('{', '{"custom_id":"first",');
    expect(checkText(text).head?.customId).toBe('r-1');
  });

  it('does not read members through the prototype', () => {
    const text = '{"__proto__":{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}}}';
    expect(checkText(text).error).toMatchObject({ code: 'missing_required_parameter', param: 'custom_id' });
    expect(Object.hasOwn(Object.prototype, 'custom_id')).toBe(false);
  });

  it('shows user text in messages shortened and without control characters', () => {
    const { error } = check({ ...good, url: `\u001b[31m${'x'.repeat(500)}` });
    expect(error?.message).not.toContain('\u001b');
    expect(error?.message.length).toBeLessThan(400);
  });
});

describe('the other errors of a line', () => {
  it('name both lines of a duplicate', () => {
    expect(duplicateCustomId(9, 'a"\n', 3)).toEqual({
      code: 'duplicate_custom_id',
      message: 'The custom_id "a\\"\\n" is already used on line 3. Give every line its own custom_id.',
      param: 'custom_id',
      line: 9,
    });
  });

  it('tell by how much a line is too long', () => {
    expect(lineTooLong(2, 200, 100)).toMatchObject({ code: 'line_too_long', line: 2, param: null });
    expect(lineTooLong(2, 200, 100).message).toContain('200 bytes; at most 100');
  });
});

describe('parseRequestLine', () => {
  it('reads what checkLine accepted', () => {
    const line = { ...good, url: '/chat/completions' };
    expect(parseRequestLine(Buffer.from(JSON.stringify(line)))).toEqual({
      customId: 'r-1',
      endpoint: '/v1/chat/completions',
      body: good.body,
    });
  });

  it('throws on anything else', () => {
    expect(() => parseRequestLine(Buffer.from('{"url":"/x","body":{}}'))).toThrow(TypeError);
    expect(() => parseRequestLine(Buffer.from('{'))).toThrow(SyntaxError);
  });
});
