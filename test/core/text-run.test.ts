import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextRun } from '../../src/core/text-run.ts';

const byte = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
  { weight: 3, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
  fc.constantFrom(0, 1, 0x1f, 0x22, 0x5c, 0x7f, 0x80, 0x9f, 0xa0, 0xa2, 0xdc, 0xff),
);

describe('a run of text', () => {
  it('ends at the first byte that ends it, wherever it begins and whatever follows', () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), fc.nat(8), fc.nat(8), (bytes, from, left) => {
        const run = new TextRun(Uint8Array.from(bytes).buffer);
        const end = Math.max(from, bytes.length - left);
        const stopsAt = (isStop: (byte: number) => boolean) => {
          const found = bytes.findIndex((each, index) => index >= from && index < end && isStop(each));
          return found < 0 ? end : found;
        };
        if (end > bytes.length) return;
        const isEnd = (each: number) => each < 0x20 || each === 0x22 || each === 0x5c;
        expect(run.endOfAscii(from, end)).toBe(stopsAt((each) => isEnd(each) || each > 0x7f));
        expect(run.endOfText(from, end)).toBe(stopsAt(isEnd));
      }),
      { numRuns: 5000 },
    );
  });
});
