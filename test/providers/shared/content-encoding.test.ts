import { brotliCompressSync, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decoded } from '../../../providers/shared/content-encoding.ts';

const TEXT = '{"answer":"four"}';
const answer = (encoding: string, body: Uint8Array) => ({
  status: 200,
  headers: { 'content-encoding': encoding },
  body,
});
const textOf = (encoding: string, body: Uint8Array): string =>
  Buffer.from(decoded(answer(encoding, body), 1_000_000).body).toString();

describe('a compressed answer', () => {
  it('is decoded by each way of compression, several in a row and without its head too', () => {
    expect(textOf('zstd', zstdCompressSync(TEXT))).toBe(TEXT);
    expect(textOf('X-GZip', gzipSync(TEXT))).toBe(TEXT);
    expect(textOf('deflate', deflateRawSync(TEXT))).toBe(TEXT);
    expect(textOf('gzip, br', brotliCompressSync(gzipSync(TEXT)))).toBe(TEXT);
    expect(textOf('identity', Buffer.from(TEXT))).toBe(TEXT);
  });

  it('stays as it came when it is damaged, or not compressed at all', () => {
    const half = gzipSync(TEXT).subarray(0, 20);
    expect(decoded(answer('gzip', half), 1_000).body).toBe(half);
    expect(textOf('gzip', Buffer.from(TEXT))).toBe(TEXT);
    expect(textOf('br', Buffer.alloc(0))).toBe('');
  });

  it('that would become larger than an answer may be is refused', () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(() => decoded(answer('gzip', bomb), 1_000_000)).toThrow(
      expect.objectContaining({ kind: 'too_large', reached: true }),
    );
  });
});
