import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdHash } from '../../src/core/id-hash.ts';
import { RepeatFilter } from '../../src/core/repeat-filter.ts';
import { RepeatFinder } from '../../src/core/repeats.ts';

/** Records of ids; null for a line that has none. */
function recordsOf(ids: readonly (string | null)[], hash: IdHash): Uint8Array {
  const words = new Uint32Array(ids.length * 2);
  for (const [line, id] of ids.entries()) {
    if (id === null) continue;
    hash.ofText(id);
    words.set([hash.high, hash.low], line * 2);
  }
  return new Uint8Array(words.buffer);
}

/** [line, first line] of all repeats, by line. */
function repeatsOf(records: Uint8Array, passes: number, linesAtOnce = 1_000): [number, number][] {
  const found: [number, number][] = [];
  const filter = new RepeatFilter(records.length / 8);
  filter.add(records);
  const finder = new RepeatFinder(filter, (line, firstLine) => found.push([line, firstLine]));
  for (let pass = 0; pass < passes; pass++) {
    finder.begin(pass, passes);
    for (let at = 0; at < records.length; at += linesAtOnce * 8) finder.add(records.subarray(at, at + linesAtOnce * 8));
  }
  return found.sort((a, b) => a[0] - b[0]);
}

function reference(ids: readonly (string | null)[]): [number, number][] {
  const known = new Map<string, number>();
  return ids.flatMap((id, line): [number, number][] => {
    if (id === null) return [];
    const first = known.get(id);
    if (first !== undefined) return [[line, first]];
    known.set(id, line);
    return [];
  });
}

describe('RepeatFinder', () => {
  it('finds every line whose id an earlier one has, in any number of passes', () => {
    const ids = fc.array(fc.oneof(fc.constant(null), fc.string({ maxLength: 2 })), { maxLength: 60 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 7 }), (list, passes, lines) => {
        expect(repeatsOf(recordsOf(list, new IdHash(randomBytes(8))), passes, lines)).toEqual(reference(list));
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds the first and the last of many, and takes no others for them', () => {
    const ids = [...Array.from({ length: 200_000 }, (_, index) => `request-${index}`), 'request-0', 'request-77'];
    const records = recordsOf(ids, new IdHash(randomBytes(8)));
    for (const passes of [1, 3]) {
      expect(repeatsOf(records, passes)).toEqual([
        [200_000, 0],
        [200_001, 77],
      ]);
    }
  });
});

describe('RepeatFilter', () => {
  it('leaves few of many different ids to be compared, and none that stands twice out', () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => (index % 10 === 9 ? null : `request-${index}`));
    const filter = new RepeatFilter(ids.length);
    const hash = new IdHash(randomBytes(8));
    filter.add(recordsOf(ids, hash));
    expect(filter.suspects).toBeGreaterThan(0);
    expect(filter.suspects).toBeLessThan(15_000);
    const before = filter.suspects;
    filter.add(recordsOf(['request-5'], hash));
    hash.ofText('request-5');
    expect(filter.mayRepeat(hash.low)).toBe(true);
    expect(filter.suspects).toBeGreaterThan(before);
  });
});

describe('IdHash', () => {
  const hashOf = (hash: IdHash, id: string): string => {
    hash.ofText(id);
    return `${hash.high} ${hash.low}`;
  };

  it('tells ids apart that differ by case, Unicode form, a last character or a lone surrogate', () => {
    const hash = new IdHash(randomBytes(8));
    const different = ['a', 'A', 'é', 'e\u0301', 'ab', 'abc', '__proto__', 'constructor', '\ud800', '\ufffd', '', '\0'];
    expect(new Set(different.map((id) => hashOf(hash, id))).size).toBe(different.length);
  });

  it('is the same of a text in ASCII and of its bytes, of any length', () => {
    const hash = new IdHash(randomBytes(8));
    for (const length of [0, 1, 2, 3, 17, 1_024, 5_000]) {
      const id = 'x'.repeat(length);
      const ofText = hashOf(hash, id);
      hash.ofAscii(Buffer.from(`--${id}--`), 2, 2 + length);
      expect(`${hash.high} ${hash.low}`).toBe(ofText);
    }
  });

  it('goes by its key, so that collisions cannot be prepared', () => {
    const collisions = (key: Uint8Array): string => {
      const hash = new IdHash(key, 12);
      return Array.from({ length: 2_000 }, (_, line) => hashOf(hash, `id-${line}`)).join();
    };
    expect(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).not.toBe(
      collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9)),
    );
    expect(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toBe(collisions(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
  });

  it('spreads similar ids evenly', () => {
    const hash = new IdHash(randomBytes(8), 16);
    // 2^16 hashes: of n ids about 2^16 · (1 − e^(−n / 2^16)) are the first of theirs.
    const count = 65_536;
    const first = new Set(Array.from({ length: count }, (_, line) => hashOf(hash, `r${line}`))).size;
    expect(first / count).toBeGreaterThan(0.62);
    expect(first / count).toBeLessThan(0.645);
  });
});
