import { describe, expect, it } from 'vitest';
import { resultOf } from '../../../providers/shared/openai-results.ts';
import { readers } from '../../../providers/vllm/results.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';

const context = { provider: 'pool', secrets: ['hunter22'], nowMs: 0 };

function read(
  body: string | Uint8Array,
  endpoint: Endpoint = '/v1/chat/completions',
  headers: Record<string, string> = {},
) {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return resultOf(endpoint, { status: 200, headers, body: bytes }, context, readers);
}

function success(body: string | Uint8Array) {
  const result = read(body);
  if (!result.ok) throw new Error(result.failure.message);
  return result;
}

function chat(content: string): string {
  return `{"model":"m","choices":[{"message":{"content":"${content}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`;
}

describe('the body of a success', () => {
  it('is the text of the provider, byte for byte', () => {
    const text = chat('1.0 12345678901234567890 \\u2028 日本 🎉').replace(
      '"model"',
      '"big":12345678901234567890,"float":1.0,"model"',
    );
    expect(success(text).body).toBe(text);
  });

  it('has no raw line separators, and still says the same', () => {
    const result = success(chat('a\u2028b\u2029c\u0085d'));
    expect(result.body).not.toMatch(/[\u0085\u2028\u2029]/);
    expect(result.body).toBe(chat('a\\u2028b\\u2029c\\u0085d'));
    expect((JSON.parse(result.body) as { choices: [{ message: object }] }).choices[0].message).toEqual({
      content: 'a\u2028b\u2029c\u0085d',
    });
  });

  it('is one line when the provider printed many, and its numbers stay as they were', () => {
    const result = success(
      `{\r\n  "model": "m",\n  "big": 12345678901234567890,\n  "choices": [ { "message": {"content": "a\\nb"} } ]\n}\n`,
    );
    expect(result.body).toBe(
      '{  "model": "m",  "big": 12345678901234567890,  "choices": [ { "message": {"content": "a\\nb"} } ]}',
    );
  });

  it('may begin with a byte-order mark, which is not kept', () => {
    expect(success(`\uFEFF${chat('a')}`).body).toBe(chat('a'));
  });

  it('that is not UTF-8 is repaired with a warning, and a real U+FFFD is no damage', () => {
    const bytes = Buffer.from(chat('a#b'));
    bytes[bytes.indexOf('#')] = 0xff;
    expect(success(bytes)).toMatchObject({
      body: chat('a\uFFFDb'),
      warnings: [expect.stringContaining('not valid UTF-8')],
    });
    expect(success(chat('a\uFFFDb')).warnings).toEqual([]);
  });

  it('may be nested deeply', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(success(chat('a').replace('"model"', `"x":${deep},"model"`)).finishReason).toBe('stop');
  });
});

describe('an answer under status 200 that is none', () => {
  const bad: [string, string, Endpoint?][] = [
    ['is empty', ''],
    ['is blank', ' \n'],
    ['is HTML', '<!DOCTYPE html><title>Login</title>'],
    ['is cut off', chat('a').slice(0, -20)],
    ['is two answers', `${chat('a')}\n${chat('b')}`],
    ['is null', 'null'],
    ['is a list', '[]'],
    ['is a text', '"ok"'],
    ['is an empty object', '{}'],
    ['states an error', '{"error":{"message":"boom"}}'],
    ['states an error beside choices', '{"error":"boom","choices":[{"message":{}}]}'],
    ['has no choices', '{"choices":[]}'],
    ['has choices that are no list', '{"choices":{"message":{}}}'],
    ['has a choice without a message', '{"choices":[{"message":{}},{"finish_reason":"stop"}]}'],
    ['has a streamed choice', '{"choices":[{"delta":{"content":"a"}}]}'],
    ['has a completion without text', '{"choices":[{"message":{}}]}', '/v1/completions'],
    ['has no embeddings', '{"object":"list","data":[]}', '/v1/embeddings'],
    ['has an embedding without numbers', '{"data":[{"index":0}]}', '/v1/embeddings'],
    ['has no output', '{"status":"completed"}', '/v1/responses'],
    ['is still being made', '{"status":"queued","output":[]}', '/v1/responses'],
    ['has no moderation results', '{"results":[]}', '/v1/moderations'],
  ];

  it.each(bad)('because it %s is a bad response, billed or not', (_name, body, endpoint) => {
    const result = read(body, endpoint);
    expect(result).toMatchObject({
      ok: false,
      body: null,
      failure: { kind: 'bad_response', status: 200, reachedProvider: true },
    });
  });

  it('reports what it consumed, if it says so', () => {
    const result = read('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7}}');
    expect(result).toMatchObject({ ok: false, usage: { input_tokens: 7 } });
  });

  it('does not repeat secrets', () => {
    const result = read('{"error":"key hunter22 is bad"}');
    expect(JSON.stringify(result)).not.toContain('hunter22');
  });
});

describe('the request id', () => {
  it.each([
    [{ 'x-request-id': 'req_1' }, 'req_1'],
    [{ 'apim-request-id': 'a-1' }, 'a-1'],
    [{ 'x-request-id': 'req_1', 'apim-request-id': 'a-1' }, 'req_1'],
    [{ 'x-request-id': 'with space' }, null],
    [{ 'x-request-id': 'x'.repeat(201) }, null],
    [{}, null],
  ])('of %j is %s', (headers, expected) => {
    expect(read(chat('a'), '/v1/chat/completions', headers as Record<string, string>).requestId).toBe(expected);
  });
});
