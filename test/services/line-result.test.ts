import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Success } from '../../providers/contract.ts';
import { parseDetails } from '../../src/core/result-text.ts';
import { resultOfAttempt } from '../../src/services/results/line-result.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('plain', 'ü', 'é'.repeat(40), '\u2028', '字"'));

describe('the record of a finished line', () => {
  it('holds every byte of its answer, in text or in bytes, and tells where its own member begins', () => {
    fc.assert(
      fc.property(text, text, text, text, fc.boolean(), (customId, model, content, warning, isInBytes) => {
        const body = JSON.stringify({ content }).replaceAll(/[\u0085\u2028\u2029]/g, '?');
        const result: Success = {
          ok: true,
          status: 200,
          requestId: null,
          body,
          ...(isInBytes && { bytes: Buffer.from(body) }),
          usage: { input_tokens: 1, output_tokens: 2 },
          rawUsage: null,
          servedModel: null,
          finishReason: 'stop',
          warnings: [],
        };
        const of = { batchId: 'batch_a', line: 6, customId, candidate: { provider: 'p', model }, attempts: 1 };
        const { record, strictBytes, succeeded } = resultOfAttempt({ ...of, costNano: 5, warnings: [warning] }, result);
        const line = Buffer.from(record);
        const strict = JSON.parse(`${line.subarray(0, strictBytes).toString()}}`) as unknown;
        expect(strict).toEqual({
          id: 'batch_req_a_7',
          custom_id: customId,
          response: { status_code: 200, request_id: null, body: JSON.parse(body) as unknown },
          error: null,
        });
        expect(parseDetails(line.subarray(strictBytes).toString().trimEnd())).toMatchObject({
          model,
          cost_nano_usd: 5,
        });
        expect(line.toString()).toMatch(/^[^\n\u0085\u2028\u2029]+\n$/);
        expect(succeeded).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
