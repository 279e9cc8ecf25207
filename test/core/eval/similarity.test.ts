import { describe, expect, it } from 'vitest';
import { lcsLength } from '../../../src/core/eval/lcs.ts';
import { cosine, similarity, type TextMetric } from '../../../src/core/eval/similarity.ts';

const HYPOTHESIS = 'It is a guide to action which ensures that the military always obeys the commands of the party';
const REFERENCE = 'It is a guide to action that ensures that the military will forever heed Party commands';

/** Values of the publications named, or counted by hand as noted. */
const GOLDEN: readonly [TextMetric, string, string, number][] = [
  // The documentation of RapidFuzz: fuzz.ratio = 96.55172413793103.
  ['fuzzy_match', 'this is a test', 'this is a test!', 0.9655172413793103],
  // LCS `ittn`: 2·4 ÷ (6 + 7).
  ['fuzzy_match', 'kitten', 'sitting', 8 / 13],
  ['fuzzy_match', '', '', 1],
  ['fuzzy_match', '\u{1f600}a', '\u{1f600}b', 0.5],
  // Papineni et al. (2002), example 2: two of seven words are clipped; one is added to 0/6, 0/5 and 0/4.
  ['bleu', 'the the the the the the the', 'the cat is on the mat', ((2 / 7) * (1 / 7) * (1 / 6) * (1 / 5)) ** 0.25],
  // Three of five words, and a penalty for two missing ones: 3/3, 3/3 (2+1), 2/2 (1+1), 1/1 (0+1).
  ['bleu', 'the cat sat', 'the cat sat on it', Math.exp(1 - 5 / 3)],
  ['bleu', 'dog', 'cat', 0],
  ['bleu', 'the cat sat on the mat.', 'the cat sat on the mat.', 1],
  // 11 words, 8 pairs, 6 triples and 4 quadruples in common, of 66.
  ['gleu', HYPOTHESIS, REFERENCE, 29 / 66],
  ['gleu', 'the cat', 'the cat', 1],
  // Banerjee and Lavie (2005) with these sentences: one piece of six, and two of six with a precision of 6/7.
  ['meteor', 'the cat sat on the mat', 'the cat sat on the mat', 1 - 0.5 * (1 / 6) ** 3],
  ['meteor', 'the cat was sat on the mat', 'the cat sat on the mat', (60 / 61) * (1 - 0.5 * (2 / 6) ** 3)],
  ['meteor', 'on the mat sat the cat', 'the cat sat on the mat', 1 - 0.5 * (3 / 6) ** 3],
  ['meteor', 'dog', 'cat', 0],
  // Their second stage: stems pair what is left, each word once, and what is equal comes first.
  ['meteor', 'computers compute', 'the computer is computing', (10 / 19) * 0.5],
  ['meteor', 'the cats sat', 'the cat sat', 1 - 0.5 * (1 / 3) ** 3],
  ['meteor', 'cats cat', 'cat', (10 * 0.5) / (1 + 9 * 0.5) / 2],
  ['meteor', 'Häuser', 'Hauses', 0],
  // Lin (2004), section 3: S1, S2 and S3.
  ['rouge_l', 'police kill the gunman', 'police killed the gunman', 0.75],
  ['rouge_l', 'the gunman kill police', 'police killed the gunman', 0.5],
  ['rouge_2', 'police kill the gunman', 'police killed the gunman', 1 / 3],
  ['rouge_2', 'the gunman kill police', 'police killed the gunman', 1 / 3],
  ['rouge_1', 'The quick, brown fox!', 'the quick dog', 4 / 7],
  ['rouge_3', 'a b c d', 'a b c e', 0.5],
  ['rouge_4', 'a b c d e', 'a b c d f', 0.5],
  ['rouge_5', 'a b c d e', 'a b c d e', 1],
  ['rouge_5', 'a b', 'a b', 1],
  ['rouge_5', 'a b', 'a c', 0],
  ['rouge_1', '日本語', '日本人', 2 / 3],
  ['rouge_l', '...', 'words', 0],
];

describe('the similarity of two texts', () => {
  it.each(GOLDEN)('by %s of %j and %j is %d', (metric, candidate, reference, expected) => {
    expect(similarity(metric, candidate, reference)).toBeCloseTo(expected, 12);
  });

  it('counts the longest common subsequence as the textbook does, on either side of 32 places', () => {
    const textbook = (left: string[], right: string[]): number => {
      const lengths = Array.from({ length: left.length + 1 }, () => Array.from({ length: right.length + 1 }, () => 0));
      for (const [i, a] of left.entries()) {
        for (const [j, b] of right.entries()) {
          const row = lengths[i + 1] as number[];
          const above = lengths[i] as number[];
          row[j + 1] = a === b ? (above[j] ?? 0) + 1 : Math.max(above[j + 1] ?? 0, row[j] ?? 0);
        }
      }
      return lengths.at(-1)?.at(-1) ?? 0;
    };
    let seed = 7;
    const letters = (length: number) =>
      Array.from({ length }, () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return 'abcd'[seed % 4] ?? '';
      });
    for (const [left, right] of [
      [0, 5],
      [31, 33],
      [32, 32],
      [33, 70],
      [64, 64],
      [97, 130],
    ] as const) {
      const [a, b] = [letters(left), letters(right)];
      expect(lcsLength(a, b)).toBe(textbook(a, b));
    }
  });

  it('refuses texts whose comparison would take too long, and takes the longest that it allows', () => {
    const long = 'ab '.repeat(16_000);
    expect(() => similarity('fuzzy_match', 'x'.repeat(50_001), 'x')).toThrow('longer than');
    for (const metric of ['fuzzy_match', 'rouge_l', 'meteor', 'bleu'] as const) {
      expect(similarity(metric, long, long)).toBeGreaterThan(0.99);
    }
  });

  it('takes the cosine of vectors of one length only', () => {
    expect(cosine([1, 0], [1, 1])).toBeCloseTo(Math.SQRT1_2, 12);
    expect(cosine([1, 2], [-1, -2])).toBeCloseTo(-1, 12);
    expect(() => cosine([1, 2], [1])).toThrow('no vectors');
    expect(() => cosine([0, 0], [1, 1])).toThrow('no vectors');
  });
});
