import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readers } from '../../../providers/openai/results.ts';
import { forwardedLine } from '../../../providers/shared/openai-batch-forwarded.ts';
import { resultOfBytes, resultOfLine } from '../../../providers/shared/openai-batch-results.ts';

const context = { provider: 'p', secrets: [], nowMs: 0 };
const endpoint = '/v1/chat/completions';

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    '',
    'a"b',
    'ü',
    'x\u2028',
    '\ufffd',
    'a b',
    0,
    500,
    '200',
    200.5,
    null,
    {},
    [],
    'abort',
    'error',
  ),
);
const usually = (value: unknown) => fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, odd);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('hi', 'say "hi"\n', '\u0085', '字', '{"usage":1}'),
);
const usage = fc.record({
  prompt_tokens: fc.oneof({ weight: 9, arbitrary: fc.nat(500) }, odd),
  completion_tokens: fc.nat(500),
  prompt_tokens_details: fc.constantFrom({ cached_tokens: 1 }, null),
});
const choice = fc.record(
  {
    index: fc.constant(0),
    message: fc.record({ role: fc.constant('assistant'), content: text }),
    finish_reason: usually('stop'),
  },
  { requiredKeys: ['message'] },
);
const body = fc.record(
  {
    id: fc.constant('chatcmpl-1'),
    object: usually('chat.completion'),
    model: usually('gpt-4o-mini'),
    choices: fc.oneof({ weight: 9, arbitrary: fc.array(choice, { minLength: 1, maxLength: 2 }) }, odd),
    usage: fc.oneof({ weight: 9, arbitrary: usage }, odd),
    service_tier: usually('default'),
    error: usually(null),
  },
  { requiredKeys: ['choices'] },
);
const line = fc.record(
  {
    id: usually('batch_req_1'),
    custom_id: usually('l-1'),
    response: fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record(
          {
            status_code: usually(200),
            request_id: usually('req_1'),
            body: fc.oneof({ weight: 9, arbitrary: body }, odd),
          },
          { requiredKeys: ['body'] },
        ),
      },
      odd,
    ),
    error: usually(null),
  },
  { requiredKeys: ['custom_id', 'response'] },
);

describe('a line of an output file whose answer goes on as it stands', () => {
  it('says what the parsed line says, whatever is in it', () => {
    let forwarded = 0;
    fc.assert(
      fc.property(line, fc.constantFrom(0, 0, 0, 1), (value, indent) => {
        const written = JSON.stringify(value, null, indent).replaceAll('\n', ' ');
        const bytes = Buffer.from(written);
        const full = resultOfLine(written, endpoint, context, readers);
        const read = resultOfBytes(bytes, endpoint, context, readers);
        expect({ ...read?.result, body: read?.result.body, bytes: undefined }).toEqual({
          ...full.result,
          bytes: undefined,
        });
        expect([read?.key, read?.raw]).toEqual([full.key, full.raw]);
        const lean = forwardedLine(bytes, endpoint, readers);
        if (lean === null) return;
        forwarded += 1;
        expect(lean.result.body).toBe(full.result.body);
      }),
      { numRuns: 2000 },
    );
    expect(forwarded).toBeGreaterThan(300);
  });

  it('is taken whole where it is long and stands far into its buffer', () => {
    const answer = `{"choices":[{"message":{"content":"${'long '.repeat(20_000)}"}}]}`;
    const whole = `{"custom_id":"a","response":{"status_code":200,"request_id":"r","body":${answer}},"error":null}`;
    const chunk = Buffer.from(`{"custom_id":"before"}\n${whole}\n`);
    const from = chunk.indexOf(whole);
    const read = forwardedLine(chunk.subarray(from, from + whole.length), endpoint, readers);
    expect(read?.result.body).toBe(answer);
    expect(read?.raw).toBe(whole);
  });

  it('is parsed where members stand twice, are escaped, or cannot be told from damage', () => {
    const answer = '{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}';
    const response = `"response":{"status_code":200,"request_id":"r","body":${answer}}`;
    const lines = [
      `{"custom_id":"a","custom_id":"b",${response}}`,
      `{"custom_id":"a",${response},${response}}`,
      `{"custom_\\u0069d":"a","custom_id":"b",${response}}`,
      `{"custom_id":"a",${response},"\\u0065rror":{"code":"x"}}`,
      `{"custom_id":"a","response":{"status_code":2e2,"body":${answer}}}`,
      `{"custom_id":"a",${response}`,
      `{"custom_id":"a",${response}}x`,
      `\ufeff{"custom_id":"a",${response}}`,
      `{"custom_id":"a",\r${response}}`,
    ];
    for (const each of lines) {
      expect(forwardedLine(Buffer.from(each), endpoint, readers)).toBeNull();
    }
    const plain = Buffer.from(`{"custom_id":"a",${response}}`);
    expect(forwardedLine(plain, endpoint, readers)?.result.body).toBe(answer);
    const damaged = Buffer.from(plain);
    damaged[damaged.indexOf('hi')] = 0xff;
    expect(forwardedLine(damaged, endpoint, readers)).toBeNull();
    expect(resultOfBytes(damaged, endpoint, context, readers)?.result).toMatchObject({
      warnings: [expect.stringContaining('UTF-8')],
    });
  });
});
