import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decoded } from '../../../providers/shared/content-encoding.ts';

const TEXT = '{"answer":"four"}';
const answer = (encoding: string, body: Uint8Array) => ({
  status: 200,
  headers: { 'content-encoding': encoding },
  body,
});
const textOf = async (encoding: string, body: Uint8Array, most = 100_000_000): Promise<string> =>
  Buffer.from((await decoded(answer(encoding, body), most)).body).toString();

describe('a compressed answer', () => {
  it('is decoded by each way of compression, several in a row and without its head too, small or large', async () => {
    for (const text of [TEXT, TEXT.repeat(200_000)]) {
      expect(await textOf('zstd', zstdCompressSync(text))).toBe(text);
      expect(await textOf('X-GZip', gzipSync(text))).toBe(text);
      expect(await textOf('deflate', deflateRawSync(text))).toBe(text);
      expect(await textOf('deflate', deflateSync(text))).toBe(text);
      expect(await textOf('br', brotliCompressSync(text))).toBe(text);
      expect(await textOf('gzip, br', brotliCompressSync(gzipSync(text)))).toBe(text);
      expect(await textOf('identity', Buffer.from(text))).toBe(text);
    }
  });

  it('stays as it came when it is damaged, or not compressed at all', async () => {
    const half = gzipSync(TEXT).subarray(0, 20);
    expect(decoded(answer('gzip', half), 1_000)).toMatchObject({ body: half });
    expect(await textOf('gzip', Buffer.from(TEXT))).toBe(TEXT);
    expect(await textOf('br', Buffer.alloc(0))).toBe('');
    const large = gzipSync(randomBytes(3_000_000)).subarray(0, 2_000_000);
    expect((await decoded(answer('gzip', large), 100_000_000)).body).toBe(large);
  });

  it('that would become larger than an answer may be is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const refused = expect.objectContaining({ kind: 'too_large', reached: true });
    expect(() => decoded(answer('gzip', bomb), 1_000)).toThrow(refused);
    await expect(decoded(answer('gzip', bomb), 20_000_000)).rejects.toEqual(refused);
    // It holds up none of those behind it.
    expect(await textOf('gzip', gzipSync(TEXT.repeat(200_000)))).toBe(TEXT.repeat(200_000));
  });

  it('that is large is decoded in another thread, and others wait for it', async () => {
    const body = gzipSync(Buffer.alloc(30_000_000));
    let turns = 0;
    let next: NodeJS.Immediate;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    turn();
    const ends: string[] = [];
    const end = async (name: string, bytes: Uint8Array) => {
      await decoded(answer('gzip', bytes), 100_000_000);
      ends.push(name);
    };
    await Promise.all([
      end('large', body),
      end('less large', gzipSync(Buffer.alloc(2_000_000))),
      end('small', gzipSync(TEXT)),
    ]);
    clearImmediate(next!);
    expect(ends).toEqual(['small', 'large', 'less large']);
    // Each piece of it takes one at least.
    expect(turns).toBeGreaterThan(20);
  });
});
