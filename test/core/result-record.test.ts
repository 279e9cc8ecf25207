import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resultRecord } from '../../src/core/result-record.ts';
import { type LineOutcome, resultText } from '../../src/core/result-text.ts';
import type { ResultDetails } from '../../src/protocol/result-line.ts';

const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'request-17', 'b c') },
  // Some look like what a form is found by.
  fc.constantFrom(
    '',
    '707070707070701',
    '7070707070707077',
    'x'.repeat(2000),
    'a"b',
    'a\\b',
    'ü',
    '字',
    '\u2028',
    '\u007f',
  ),
  fc.string({ unit: 'binary' }),
);
const few = fc.oneof({ weight: 9, arbitrary: fc.constantFrom('p', 'q') }, fc.constant(null), name);
const count = fc.oneof(
  { weight: 9, arbitrary: fc.nat() },
  fc.constantFrom(0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const rarely = (value: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant<string[]>([]) }, fc.array(value, { maxLength: 2 }));
/** Of every member, so that one that is added is looked at here. */
type Every<T> = { [Name in keyof T]-?: fc.Arbitrary<T[Name]> };
const outcome: fc.Arbitrary<LineOutcome> = fc.record({
  line: fc.nat(),
  customId: name,
  batchId: fc.constantFrom('batch_x', 'batch_y'),
  response: fc.oneof(
    { weight: 12, arbitrary: fc.record({ statusCode: fc.constantFrom(200, 201), requestId: few }) },
    fc.constant(null),
  ),
  error: fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    fc.constant({ code: 'expired', message: 'late \u2028' }),
  ),
  details: fc.record({
    line: count,
    provider: few,
    model: few,
    target: few,
    attempts: count,
    cost_nano_usd: fc.oneof(count, fc.constantFrom(null, -5, -(2 ** 40))),
    warnings: rarely(name),
    finish_reason: few,
    input_tokens: count,
    output_tokens: count,
    raw: fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, fc.constantFrom(null, { any: '\u0085' })),
  } satisfies Every<ResultDetails>),
} satisfies Every<LineOutcome>);
const body = fc.constantFrom('{}', '{"content":"ü"}', `{"content":"${'word '.repeat(50)}"}`);

describe('the record of a line', () => {
  it('is the text of the line, whatever the lines before it were', () => {
    let together = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(outcome, body), { minLength: 3, maxLength: 12 }), (lines) => {
        for (const [told, answer] of lines) {
          const { head, tail, details } = resultText(told);
          const { record, strictBytes } = resultRecord(told, Buffer.from(answer));
          const strict = head + answer + tail;
          expect(Buffer.from(record).toString()).toBe(Buffer.from(`${strict}${details}\n`).toString());
          expect(strictBytes).toBe(Buffer.byteLength(strict));
          expect(resultRecord(told, answer)).toEqual({ record: Buffer.from(record), strictBytes });
          if (record.buffer.byteLength === 64 * 1024) together += 1;
        }
      }),
      { numRuns: 1500 },
    );
    // Those written as lines before them share memory.
    expect(together).toBeGreaterThan(1000);
  });

  it('stays what it was when others are written after it', () => {
    const of = (line: number): LineOutcome => ({
      ...{ line, customId: `request-${line}`, batchId: 'batch_z', response: { statusCode: 200, requestId: null } },
      error: null,
      details: {
        ...{ line: line + 1, provider: 'p', model: 'm', target: 'p/m', attempts: 1, cost_nano_usd: 5, warnings: [] },
        ...{ finish_reason: 'stop', input_tokens: line, output_tokens: 2 },
      },
    });
    const answer = (line: number) => `{"content":"${'x'.repeat(line * 7)}"}`;
    const records = Array.from({ length: 3000 }, (_, line) => resultRecord(of(line), Buffer.from(answer(line))).record);
    for (const [line, record] of records.entries()) {
      const { head, tail, details } = resultText(of(line));
      expect(Buffer.from(record).toString()).toBe(`${head}${answer(line)}${tail}${details}\n`);
    }
  });
});
