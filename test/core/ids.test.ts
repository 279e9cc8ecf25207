import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base62, formatId, formatTimedId, ID_BYTES, TIMED_ID_BYTES } from '../../src/core/ids.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The number that base 62 text stands for. */
function numberOf(text: string): bigint {
  return text.split('').reduce((value, digit) => value * 62n + BigInt(ALPHABET.indexOf(digit)), 0n);
}

describe('base62', () => {
  it('stands for the number that the bytes are, at one width for each length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = base62(bytes);
        expect(text).toMatch(/^[0-9A-Za-z]*$/);
        expect(numberOf(text)).toBe(bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n));
        expect(text.length).toBe(base62(new Uint8Array(bytes.length)).length);
      }),
    );
  });

  it('holds the largest and the smallest id', () => {
    expect(formatId('batch_', new Uint8Array(ID_BYTES))).toBe(`batch_${'0'.repeat(25)}`);
    expect(numberOf(base62(new Uint8Array(ID_BYTES).fill(255)))).toBe(2n ** BigInt(8 * ID_BYTES) - 1n);
  });
});

describe('ids with their time', () => {
  const bytes = fc.uint8Array({ minLength: TIMED_ID_BYTES, maxLength: TIMED_ID_BYTES });
  const moment = fc.nat({ max: 2 ** 42 });

  it('sort by it as text, are of one length, and keep all of their random bytes', () => {
    fc.assert(
      fc.property(moment, fc.nat({ max: 1_000_000 }), bytes, bytes, (ms, later, left, right) => {
        const first = formatTimedId('entry_', ms, left);
        const second = formatTimedId('entry_', ms + later, right);
        if (later > 0) expect(first < second).toBe(true);
        expect(first).toHaveLength(second.length);
        expect(first).toMatch(/^entry_[0-9A-Za-z]{31}$/);
        expect(first.endsWith(base62(left))).toBe(true);
        expect(second.endsWith(base62(right))).toBe(true);
      }),
    );
  });

  it('hold 128 bits that nobody can guess', () => {
    expect(TIMED_ID_BYTES * 8).toBeGreaterThanOrEqual(128);
    const largest = formatTimedId('entry_', 0, new Uint8Array(TIMED_ID_BYTES).fill(255));
    expect(numberOf(largest.slice('entry_'.length))).toBe(2n ** 128n - 1n);
  });
});
