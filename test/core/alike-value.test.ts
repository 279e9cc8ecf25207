import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlikeValue } from '../../src/core/alike-value.ts';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { Members, pick, Span } from '../../src/core/json-pick.ts';

const count = fc.oneof(
  { weight: 12, arbitrary: fc.nat(100_000) },
  fc.constantFrom<unknown>(
    0,
    -1,
    1.5,
    1e21,
    999_999_999_999_999,
    Number.MAX_SAFE_INTEGER,
    null,
    'ü',
    'a"1,2',
    '1',
    true,
  ),
);
const usage = fc.record(
  {
    input_tokens: count,
    output_tokens: count,
    details: fc.oneof(
      fc.record({ cached: count, __proto__: fc.constant(null) }),
      fc.constantFrom<unknown>({}, [], null),
    ),
    parts: fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'IMAGE "1":2'), count }), { maxLength: 2 }),
    tier: fc.constantFrom('batch', 'x\\', '7'),
    1: count,
  },
  { requiredKeys: ['input_tokens', 'output_tokens', 'tier'] },
);
const writings: ((value: unknown) => string)[] = [
  ...Array.from({ length: 6 }, () => (value: unknown) => JSON.stringify(value)),
  (value) => JSON.stringify(value, null, 1),
  (value) => JSON.stringify(value).replace(/:(\d)/, ':0$1'),
  (value) => JSON.stringify(value).replace(/(\d)([,}])/, '$1.0$2'),
  (value) => JSON.stringify(value).replace(/(\d)([,}])/, '$1e1$2'),
  (value) => JSON.stringify(value).replace('{', '{"input_tokens":3,'),
  (value) => JSON.stringify(value).replace('{', '{"__proto__":{"a":1},'),
  (value) => JSON.stringify(value).slice(0, -1),
];

const json = new JsonCursor();

describe('a value that line after line has in the same words', () => {
  it('is what JSON.parse makes of it, whatever came before', () => {
    const alike = new AlikeValue();
    const after = new Span();
    const line = new Members({ usage: alike, after });
    const used = fc.array(
      fc.tuple(
        fc.oneof({ weight: 3, arbitrary: usage }, fc.constant({ input_tokens: 1 })),
        fc.constantFrom(...writings),
      ),
    );
    fc.assert(
      fc.property(used, (values) => {
        for (const [value, write] of values) {
          const text = `{"usage":${write(value)},"after":"x"}`;
          const bytes = Buffer.from(text);
          if (!pick(json, bytes, line)) continue;
          // Whoever lent the bytes uses them again; the value is its own.
          const made = alike.value(json);
          expect(made).toEqual((JSON.parse(text) as { usage: unknown }).usage);
          expect(JSON.stringify(made)).toBe(JSON.stringify((JSON.parse(text) as { usage: unknown }).usage));
          expect(after.word(json)).toBe('x');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is taken only where it is whole JSON', () => {
    const alike = new AlikeValue();
    const line = new Members({ usage: alike });
    const text = '{"usage":{"in":12,"more":{"out":3}}}';
    expect(pick(json, Buffer.from(text), line)).toBe(true);
    expect(alike.value(json)).toEqual({ in: 12, more: { out: 3 } });
    for (let end = 0; end < text.length; end++) {
      expect(pick(json, Buffer.from(text.slice(0, end)), line), text.slice(0, end)).toBe(false);
    }
    for (const odd of ['012', '', '-', '1.', '1e', '1x', '12"', '1,,']) {
      expect(pick(json, Buffer.from(text.replace('12', odd)), line), odd).toBe(false);
    }
    for (const number of ['1.50', '1e3', '-0', '1234567890123456', '12 ']) {
      const other = text.replace('12', number);
      expect(pick(json, Buffer.from(other), line), number).toBe(true);
      expect(alike.value(json)).toEqual((JSON.parse(other) as { usage: unknown }).usage);
    }
  });

  it('is a new one each time', () => {
    const alike = new AlikeValue();
    const line = new Members({ usage: alike });
    const [first, second, third] = [1, 2, 2].map((out) => {
      pick(json, Buffer.from(`{"usage":{"out":{"n":${out}},"list":[5]}}`), line);
      return alike.value(json) as { out: { n: number }; list: number[] };
    });
    expect([first, second, third].map((each) => each?.out.n)).toEqual([1, 2, 2]);
    expect(second?.out).not.toBe(third?.out);
    expect(second?.list).not.toBe(third?.list);
  });
});
