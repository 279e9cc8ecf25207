import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detailsText, parseDetails, resultRecord } from '../../src/core/result-text.ts';
import { resultDetailsSchema } from '../../src/protocol/result-line.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('a"b', 'a\\b', '\u2028', '\u0085', 'ü', '\u007f', '\n', ' ~!#[]'),
);
const name = fc.oneof(text, fc.constant(null));
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const details = fc.record({
  line: count,
  provider: name,
  model: name,
  target: name,
  attempts: count,
  cost_nano_usd: fc.oneof(fc.maxSafeInteger(), fc.constant(null)),
  warnings: fc.array(text, { maxLength: 3 }),
  finish_reason: name,
  input_tokens: count,
  output_tokens: count,
  raw: fc.option(fc.jsonValue(), { nil: undefined }),
});

describe('the text of a result line', () => {
  it('says what it was told, whatever characters are in it, and nothing that is taken for a line end', () => {
    fc.assert(
      fc.property(details, text, name, (told, customId, requestId) => {
        const written = detailsText(told);
        const json = JSON.parse(JSON.stringify(told)) as typeof told;
        expect(parseDetails(written)).toEqual(json);
        const outcome = {
          line: 4,
          customId,
          batchId: 'batch_x',
          response: { statusCode: 200, requestId },
          error: null,
          details: told,
        };
        const { record, strictBytes } = resultRecord(outcome, Buffer.from('{}'));
        const line = Buffer.from(record);
        expect(line.toString('utf8', strictBytes)).toBe(`${written}\n`);
        const whole = line.toString('utf8', 0, line.length - 1);
        expect(whole).not.toMatch(/[\u0085\u2028\u2029\n]/);
        expect(JSON.parse(whole)).toEqual({
          id: 'batch_req_x_5',
          custom_id: customId,
          response: { status_code: 200, request_id: requestId, body: {} },
          error: null,
          weir: json,
        });
      }),
      { numRuns: 500 },
    );
  });

  it('has every member that the schema names', () => {
    const every = { ...emptyDetails, raw: { any: 1 } };
    expect(Object.keys(parseDetails(detailsText(every))).sort()).toEqual(Object.keys(resultDetailsSchema.shape).sort());
  });
});

const emptyDetails = {
  line: 1,
  provider: null,
  model: null,
  target: null,
  attempts: 1,
  cost_nano_usd: null,
  warnings: [],
  finish_reason: null,
  input_tokens: 0,
  output_tokens: 0,
};
