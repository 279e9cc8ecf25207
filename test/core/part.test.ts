import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePartIndex, PART_INDEX_BYTES, PartIndex } from '../../src/core/part.ts';
import { type LineOutcome, resultRecord } from '../../src/core/result-text.ts';
import { resultLineSchema } from '../../src/protocol/result-line.ts';

const word = fc.integer({ min: 0, max: 0xffff_ffff });

describe('the index of a part', () => {
  it('comes back as it was written, in line order, also from a slice of a larger buffer', () => {
    const entry = fc.record({
      line: word,
      offset: word,
      length: word,
      strictLength: word,
      flags: fc.nat(255),
      check: fc.nat(2 ** 24 - 1),
      attempts: word,
    });
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ({ line }) => line }), (entries) => {
        const encoded = encodePartIndex(entries);
        expect(encoded.byteLength).toBe(entries.length * PART_INDEX_BYTES + 4);
        const shifted = new Uint8Array(encoded.byteLength + 3);
        shifted.set(encoded, 3);
        const index = new PartIndex(shifted.subarray(3));
        const decoded = Array.from({ length: index.count }, (_, at) => index.entry(at));
        expect(decoded).toEqual(entries.toSorted((a, b) => a.line - b.line));
        expect(decoded.map((_, at) => index.line(at))).toEqual(decoded.map(({ line }) => line));
      }),
    );
  });
});

/** The text of a result line: OpenAI's part, and what follows it. */
function resultText(outcome: LineOutcome, body: string): { strict: string; end: string } {
  const { record, strictBytes } = resultRecord(outcome, Buffer.from(body));
  const bytes = Buffer.from(record);
  expect(bytes.at(-1)).toBe(0x0a);
  return { strict: bytes.toString('utf8', 0, strictBytes), end: bytes.toString('utf8', strictBytes, bytes.length - 1) };
}

describe('resultText', () => {
  const details = {
    line: 1,
    provider: 'p',
    model: 'm',
    target: 'p/m',
    attempts: 1,
    cost_nano_usd: 5,
    warnings: [],
    finish_reason: 'stop',
    input_tokens: 1,
    output_tokens: 2,
  };

  it('cuts to OpenAI’s strict line, whatever the texts hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (customId, content) => {
        const { strict, end } = resultText(
          {
            line: 0,
            customId,
            batchId: 'batch_x',
            response: { statusCode: 200, requestId: content },
            error: { code: content, message: content },
            details,
          },
          '{}',
        );
        expect(/[\u2028\u2029\u0085\n]/.test(strict + end)).toBe(false);
        const line = resultLineSchema.strict().parse(JSON.parse(`${strict}}`));
        const wellFormed = customId.isWellFormed() && content.isWellFormed();
        if (wellFormed)
          expect(line).toMatchObject({
            custom_id: customId,
            response: { request_id: content },
            error: { message: content },
          });
        expect(JSON.parse(strict + end)).toMatchObject({ weir: details });
      }),
    );
  });

  it('has no response when there was no answer', () => {
    const { strict, end } = resultText(
      {
        line: 4,
        customId: 'a',
        batchId: 'batch_x',
        response: null,
        error: { code: 'batch_expired', message: 'late' },
        details,
      },
      '{}',
    );
    expect(JSON.parse(strict + end)).toMatchObject({
      id: 'batch_req_x_5',
      response: null,
      error: { code: 'batch_expired', message: 'late' },
    });
  });
});
