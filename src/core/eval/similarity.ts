import type { TEXT_METRICS } from '../../protocol/eval-grader.ts';
import { GradeError } from './grader.ts';
import { lcsLength } from './lcs.ts';
import { meteor } from './meteor.ts';
import { ngrams, overlap, words, wordsAndMarks } from './words.ts';

export type TextMetric = Exclude<(typeof TEXT_METRICS)[number], 'cosine'>;

/** The time of some metrics grows with the product of both lengths. */
const CHARACTERS_MAX = 50_000;
const ORDERS = [1, 2, 3, 4] as const;

/** How alike two texts are, from 0 to 1. Throws GradeError, code `text_too_long`. */
export function similarity(metric: TextMetric, candidate: string, reference: string): number {
  if (Math.max(candidate.length, reference.length) > CHARACTERS_MAX) {
    throw new GradeError('text_too_long', `a text is longer than the ${CHARACTERS_MAX} characters that are compared`);
  }
  switch (metric) {
    case 'fuzzy_match':
      return fuzzyMatch(candidate, reference);
    case 'bleu':
      return compare(candidate, reference, wordsAndMarks, bleu);
    case 'gleu':
      return compare(candidate, reference, wordsAndMarks, gleu);
    case 'meteor':
      return compare(candidate.toLowerCase(), reference.toLowerCase(), wordsAndMarks, meteor);
    case 'rouge_l':
      return compare(candidate, reference, words, rougeL);
    default:
      return compare(candidate, reference, words, (left, right) => rougeN(left, right, Number(metric.slice(-1))));
  }
}

type Tokens = readonly string[];

/** Two texts without tokens are alike, one without is unlike any other. */
function compare(
  candidate: string,
  reference: string,
  split: (text: string) => string[],
  measure: (left: Tokens, right: Tokens) => number,
): number {
  const [left, right] = [split(candidate), split(reference)];
  if (left.length === 0 || right.length === 0) return left.length === right.length ? 1 : 0;
  return measure(left, right);
}

/** The normalised similarity of insertions and deletions, as `fuzz.ratio` of RapidFuzz: 2·LCS ÷ (a + b), by characters. */
function fuzzyMatch(candidate: string, reference: string): number {
  const [left, right] = [Array.from(candidate), Array.from(reference)];
  const total = left.length + right.length;
  return total === 0 ? 1 : (2 * lcsLength(left, right)) / total;
}

/**
 * BLEU of one sentence with one reference: the geometric mean of the clipped precisions of 1- to 4-grams times the brevity
 * penalty (Papineni et al., 2002), with one added to both counts of the orders above 1 (Lin and Och, 2004), as most single
 * sentences have no 4-gram in common.
 */
function bleu(candidate: Tokens, reference: Tokens): number {
  let logs = 0;
  for (const order of ORDERS) {
    const own = Math.max(0, candidate.length - order + 1);
    const common = overlap(ngrams(candidate, order), ngrams(reference, order));
    const added = order === 1 ? 0 : 1;
    if (common + added === 0) return 0;
    logs += Math.log((common + added) / (own + added));
  }
  const penalty = Math.min(0, 1 - reference.length / candidate.length);
  return Math.exp(penalty + logs / ORDERS.length);
}

/** Google's BLEU: the smaller of precision and recall over all 1- to 4-grams together (Wu et al., 2016). */
function gleu(candidate: Tokens, reference: Tokens): number {
  const count = (length: number) => ORDERS.reduce<number>((sum, order) => sum + Math.max(0, length - order + 1), 0);
  const common = ORDERS.reduce<number>(
    (sum, order) => sum + overlap(ngrams(candidate, order), ngrams(reference, order)),
    0,
  );
  return common / Math.max(count(candidate.length), count(reference.length));
}

/** ROUGE-N as F1 of n-grams (Lin, 2004). Texts too short for one n-gram are unlike, unless both are the same. */
function rougeN(candidate: Tokens, reference: Tokens, order: number): number {
  const own = Math.max(0, candidate.length - order + 1);
  const wanted = Math.max(0, reference.length - order + 1);
  if (own === 0 || wanted === 0) return own === wanted && candidate.join(' ') === reference.join(' ') ? 1 : 0;
  return f1(overlap(ngrams(candidate, order), ngrams(reference, order)), own, wanted);
}

/** ROUGE-L as F1 of the longest common subsequence of words (Lin, 2004). */
function rougeL(candidate: Tokens, reference: Tokens): number {
  return f1(lcsLength(candidate, reference), candidate.length, reference.length);
}

function f1(common: number, own: number, wanted: number): number {
  return (2 * common) / (own + wanted);
}

/** The cosine of the angle between two vectors. Throws GradeError for vectors that have none. */
export function cosine(left: readonly number[], right: readonly number[]): number {
  let product = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  for (const [index, value] of left.entries()) {
    const other = right[index] ?? Number.NaN;
    product += value * other;
    leftSquares += value * value;
    rightSquares += other * other;
  }
  const result = product / Math.sqrt(leftSquares * rightSquares);
  if (left.length !== right.length || !Number.isFinite(result)) {
    throw new GradeError('judge_unreadable', 'the embeddings are no vectors of one length');
  }
  return Math.min(1, Math.max(-1, result));
}
