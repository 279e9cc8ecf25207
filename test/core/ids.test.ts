import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base62, formatId, ID_BYTES } from '../../src/core/ids.ts';

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
