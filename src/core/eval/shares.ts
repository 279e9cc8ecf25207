import type { EvalInterval } from '../../protocol/eval-comparison.ts';

/** Of the normal distribution: 95 % lie within so many standard deviations. */
const Z_95 = 1.959963984540054;

/** A part of a whole as a number from 0 to 1; null of nothing. */
export function shareOf(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

/**
 * A share with Wilson's score interval of 95 % (Wilson 1927): honest for few items and near 0 and 1, where resampling
 * would give an interval of no width.
 */
export function wilsonInterval(part: number, whole: number): EvalInterval {
  if (whole === 0) return { value: null, low: null, high: null };
  const share = part / whole;
  const square = (Z_95 * Z_95) / whole;
  const centre = (share + square / 2) / (1 + square);
  const reach = (Z_95 / (1 + square)) * Math.sqrt((share * (1 - share)) / whole + square / (4 * whole));
  return {
    value: share,
    low: part === 0 ? 0 : Math.max(0, centre - reach),
    high: part === whole ? 1 : Math.min(1, centre + reach),
  };
}

/** The value below or at which `share` of the sorted values lie (nearest rank); null of none. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/**
 * The two-sided exact p-value of so many wins of each side, were both as likely: the binomial test that McNemar's test
 * of paired pass and fail stands for. Null without any.
 */
export function signTest(wins: number, losses: number): number | null {
  const trials = wins + losses;
  if (trials === 0) return null;
  // In logarithms, as 2^-trials is no number beyond a thousand of them.
  let logTerm = -trials * Math.LN2;
  let tail = 0;
  for (let count = 0; count <= Math.min(wins, losses); count += 1) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(trials - count) - Math.log(count + 1);
  }
  return Math.min(1, 2 * tail);
}

/** Cohen's kappa of two that said pass or fail (Cohen 1960); null where chance alone would agree always. */
export function cohensKappa(both: number, onlyA: number, onlyB: number, neither: number): number | null {
  const items = both + onlyA + onlyB + neither;
  if (items === 0) return null;
  const seen = (both + neither) / items;
  const chance = ((both + onlyA) * (both + onlyB) + (onlyB + neither) * (onlyA + neither)) / (items * items);
  return chance === 1 ? null : (seen - chance) / (1 - chance);
}
