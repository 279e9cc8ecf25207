import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { IdHash } from '../../src/core/id-hash.ts';
import { IdSet } from '../../src/core/id-set.ts';

/** An IdSet that is given the ids themselves. */
function idsBy(key: Uint8Array, bits?: number): { add(id: string, line: number): number } {
  const hash = new IdHash(key, bits);
  const ids = new IdSet();
  return {
    add(id, line) {
      hash.ofText(id);
      return ids.add(hash, line);
    },
  };
}

describe('IdSet', () => {
  it('knows every id that was added, by its first line', () => {
    const ids = idsBy(randomBytes(8));
    const count = 200_000;
    let taken = 0;
    for (let line = 0; line < count; line++) if (ids.add(`request-${line}`, line) !== -1) taken += 1;
    // 2 · 10^10 pairs over 2^40 hashes: one in fifty runs sees a single false hit.
    expect(taken).toBeLessThanOrEqual(1);
    for (let line = 0; line < count; line += 97) {
      expect(ids.add(`request-${line}`, count + line)).toBe(line);
    }
  });

  it('tells ids apart that differ by case, Unicode form, a last character or a lone surrogate', () => {
    const ids = idsBy(randomBytes(8));
    const different = ['a', 'A', 'é', 'e\u0301', 'ab', 'abc', '__proto__', 'constructor', '\ud800', '\ufffd', '', '\0'];
    for (const [line, id] of different.entries()) expect(ids.add(id, line)).toBe(-1);
    for (const [line, id] of different.entries()) expect(ids.add(id, 100)).toBe(line);
  });

  it('hashes by its key, so that collisions cannot be prepared', () => {
    const collisions = (key: Uint8Array) => {
      const ids = idsBy(key, 4);
      return Array.from({ length: 2_000 }, (_, line) => ids.add(`id-${line}`, line)).join();
    };
    expect(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).not.toBe(
      collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9)),
    );
    expect(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toBe(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
  });

  it('spreads similar ids evenly', () => {
    const ids = idsBy(randomBytes(8), 8);
    // 2^16 hashes: of n ids about 2^16 · (1 − e^(−n / 2^16)) are the first of theirs.
    const count = 65_536;
    let first = 0;
    for (let line = 0; line < count; line++) if (ids.add(`r${line}`, line) === -1) first += 1;
    expect(first / count).toBeGreaterThan(0.62);
    expect(first / count).toBeLessThan(0.645);
  });
});
