import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readers } from '../../../providers/azure/results.ts';
import { memberText } from '../../../providers/shared/openai-batch-json.ts';
import { oversizedLine, resultOfBytes, resultOfLine } from '../../../providers/shared/openai-batch-results.ts';

const context = { provider: 'p', secrets: ['sk-secret'], nowMs: 0 };
const chat = '/v1/chat/completions';

function lineOf(members: object) {
  return resultOfLine(JSON.stringify({ id: 'batch_req_1', custom_id: 'k', ...members }), chat, context, readers);
}

function answered(body: unknown, status: unknown = 200) {
  return { response: { status_code: status, request_id: 'req_1', body }, error: null };
}

const good = {
  object: 'chat.completion',
  model: 'gpt-4o-2024-05-13',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hi', refusal: null } }],
  usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
};

describe('a line of a result file', () => {
  it('is a success with a 200 and no error', () => {
    expect(lineOf(answered(good))).toMatchObject({
      key: 'k',
      result: {
        ok: true,
        status: 200,
        requestId: 'req_1',
        servedModel: 'gpt-4o-2024-05-13',
        finishReason: 'stop',
        usage: { input_tokens: 10, output_tokens: 2 },
        warnings: [],
      },
    });
  });

  it('keeps its body as it stands, numbers beyond a double and all', () => {
    const body =
      '{"model":"m","big":12345678901234567890.10,"choices":[{"message":{"content":"a\u2028b"}}],"usage":null}';
    const text = `{"response": {"body": ${body} ,"status_code":200},"custom_id":"k","error":null}`;
    const { result, raw } = resultOfLine(text, chat, context, readers);
    expect(result.ok && result.body).toBe(body.replace('\u2028', '\\u2028'));
    expect(raw).toBe(text);
  });

  it('is a failure when its answer is one, in whichever file it stands', () => {
    const error = {
      error: { message: 'too long: sk-secret', type: 'invalid_request_error', param: 'messages', code: null },
    };
    const { result } = lineOf(answered(error, 400));
    expect(result).toMatchObject({ ok: false, requestId: 'req_1', failure: { kind: 'invalid_request', status: 400 } });
    expect(JSON.stringify(result)).not.toContain('sk-secret');
    expect(lineOf(answered(error, 429)).result).toMatchObject({ failure: { kind: 'rate_limited' } });
    expect(lineOf(answered(error, 500)).result).toMatchObject({ failure: { kind: 'server_error' } });
  });

  it.each([
    [{ code: 'batch_expired', message: 'over' }, 'expired', false],
    [{ code: 'batch_cancelled', message: 'stopped' }, 'cancelled', false],
    [{ code: 'request_timeout', message: 'slow' }, 'timeout', true],
    [{ code: 'something_new', message: 'odd' }, 'server_error', true],
    [{ code: 429, message: 'busy' }, 'rate_limited', true],
    [{ code: '401', message: 'no' }, 'authentication', true],
    ['broken', 'server_error', true],
  ] as const)('with the error %j and no answer is %s', (error, kind, reachedProvider) => {
    const { key, result } = lineOf({ response: null, error });
    expect(key).toBe('k');
    expect(result).toMatchObject({ ok: false, failure: { kind, reachedProvider } });
  });

  it('with both an answer and an error is a failure whose tokens count', () => {
    const { result } = lineOf({ ...answered(good), error: { code: 'server_error', message: 'lost' } });
    expect(result).toMatchObject({ ok: false, usage: { input_tokens: 10, output_tokens: 2 } });
    // An answer came: what it cost is known, whatever the error says.
    const expired = lineOf({ ...answered(good), error: { code: 'batch_expired', message: 'over' } }).result;
    const failure = { kind: 'expired', status: 200, reachedProvider: true };
    expect(expired).toMatchObject({ ok: false, failure, usage: { input_tokens: 10, output_tokens: 2 } });
  });

  it.each([
    ['neither answer nor error', { response: null, error: null }],
    ['an empty answer', answered({})],
    ['no body', answered(undefined)],
    ['a body that is text', answered('hello')],
    ['an answer without choices', answered({ model: 'm', usage: good.usage })],
  ])('with %s is a bad response', (_what, members) => {
    expect(lineOf(members)).toMatchObject({ key: 'k', result: { ok: false, failure: { kind: 'bad_response' } } });
  });

  it.each(['', '{"custom_id":"k","resp', '[1]', 'null', '7', 'garbage'])('that is %j has no key', (text) => {
    expect(resultOfLine(text, chat, context, readers)).toMatchObject({
      key: null,
      result: { ok: false, failure: { kind: 'bad_response' } },
      raw: text,
    });
  });

  it.each([undefined, '', null, 7])('with the custom_id %j names nobody', (id) => {
    expect(lineOf({ ...answered(good), custom_id: id }).key).toBeNull();
  });

  it('takes a missing status and one that is text', () => {
    expect(lineOf(answered(good, '200')).result.ok).toBe(true);
    expect(lineOf({ response: { body: good }, error: null }).result).toMatchObject({
      ok: true,
      requestId: 'batch_req_1',
    });
    expect(lineOf(answered(good, 'fine')).result.ok).toBe(false);
  });

  it('tells missing and zero usage, and finish reasons', () => {
    const noUsage = { ...good, usage: undefined };
    expect(lineOf(answered(noUsage)).result).toMatchObject({
      ok: true,
      usage: null,
      warnings: ['usage: not reported'],
    });
    const zeros = { ...good, usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } };
    expect(lineOf(answered(zeros)).result).toMatchObject({ warnings: [expect.stringContaining('zero')] });
    const filtered = { ...good, choices: [{ finish_reason: 'content_filter', message: { content: null } }] };
    expect(lineOf(answered(filtered)).result).toMatchObject({ ok: true, finishReason: 'content_filter' });
    const tools = { ...good, choices: [{ finish_reason: 'tool_calls', message: { content: null, tool_calls: [] } }] };
    expect(lineOf(answered(tools)).result).toMatchObject({ ok: true, finishReason: 'tool_calls' });
    expect(lineOf(answered({ ...good, service_tier: 'batch' })).result).toMatchObject({ warnings: [] });
  });

  it('reads Azure’s blocked prompt', () => {
    const error = { code: 'content_filter', message: 'blocked', innererror: { code: 'ResponsibleAIPolicyViolation' } };
    expect(lineOf(answered({ error }, 400)).result).toMatchObject({
      failure: { kind: 'invalid_request', code: 'content_filter' },
    });
  });

  it('knows its endpoint by its own words when the batch forgot it', () => {
    const read = (body: object) =>
      resultOfLine(JSON.stringify({ custom_id: 'k', ...answered(body) }), null, context, readers);
    const embeddings = { object: 'list', data: [{ embedding: [1] }], usage: { prompt_tokens: 1, total_tokens: 1 } };
    expect(read(embeddings).result.ok).toBe(true);
    expect(read({ object: 'response', output: [], status: 'completed' }).result.ok).toBe(true);
    expect(read({ results: [{}] }).result.ok).toBe(true);
    expect(read({ object: 'text_completion', choices: [{ text: 'x' }] }).result.ok).toBe(true);
    expect(read(good).result.ok).toBe(true);
  });

  it('that is no UTF-8 is read as far as it can be, with a warning', () => {
    const text = JSON.stringify({ custom_id: 'k', ...answered(good) });
    const [before = '', after = ''] = text.split('hi');
    const bytes = Buffer.concat([Buffer.from(`${before}h`), Buffer.from([0xff]), Buffer.from(after)]);
    expect(resultOfBytes(bytes, chat, context, readers)).toMatchObject({
      key: 'k',
      result: { ok: true, body: expect.stringContaining('h\uFFFD'), warnings: [expect.stringContaining('UTF-8')] },
    });
    const meant = Buffer.from(text.replace('hi', 'h\uFFFD'));
    expect(resultOfBytes(meant, chat, context, readers)).toMatchObject({ result: { ok: true, warnings: [] } });
    expect(resultOfBytes(Buffer.from(' \r'), chat, context, readers)).toBeNull();
  });

  it('too long to be kept is a failure of nobody known', () => {
    expect(oversizedLine(9, 'p')).toMatchObject({
      key: null,
      result: { ok: false, failure: { code: 'response_too_large' } },
    });
  });
});

describe('memberText', () => {
  it('gives a member exactly as it stands, in any JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (object, indent) => {
        const json = JSON.stringify(object, null, indent);
        for (const [name, value] of Object.entries(JSON.parse(json) as Record<string, unknown>)) {
          expect(JSON.parse(memberText(json, name) ?? 'null')).toEqual(value);
        }
      }),
    );
  });

  it('reads escaped names, takes the last of two, and is not misled by strings', () => {
    expect(memberText('{"b\\u006fdy": 1.50}', 'body')).toBe('1.50');
    expect(memberText('{"body":1,"body":[2]}', 'body')).toBe('[2]');
    expect(memberText('{"a":"}\\",{\\\\","body":{"x":"]"}}', 'body')).toBe('{"x":"]"}');
    expect(memberText('[1]', 'body')).toBeNull();
  });
});
