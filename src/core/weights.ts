/**
 * Deterministic division by weight. Each pick is a unit job with a window of turns of its own, and the earliest deadline
 * among the released ones goes first: such a schedule always exists on one machine, so every member stays within one of
 * its exact share at every turn.
 */
export interface WeightedPicker {
  /** Index of the member that gets the next piece of work; `size` matters only when dividing by size. */
  pick(size: number): number;
}

/** Divides work pieces by count: after n picks each member has n·w/Σw, rounded down or up. Throws without a weight > 0. */
export function pickByCount(weights: readonly number[]): WeightedPicker {
  const scaled = toIntegers(weights);
  const total = sum(scaled);
  requirePositive(total);
  const heaviest = indexOfHeaviest(scaled);
  const counts = scaled.map(() => 0);
  let turns = 0;
  return {
    pick() {
      let chosen = -1;
      for (let index = 0; index < scaled.length; index++) {
        const weight = scaled[index] ?? 0;
        const count = counts[index] ?? 0;
        const released = count * total < (turns + 1) * weight;
        if (released && (chosen < 0 || earlier(count, weight, counts[chosen] ?? 0, scaled[chosen] ?? 0)))
          chosen = index;
      }
      if (chosen < 0) chosen = heaviest;
      counts[chosen] = (counts[chosen] ?? 0) + 1;
      turns += 1;
      // After Σw turns everyone has exactly its weight: begin again, so that the products stay exact integers.
      if (turns === total) {
        counts.fill(0);
        turns = 0;
      }
      return chosen;
    },
  };
}

/**
 * Divides work pieces by size (tokens): no member is ever above its share by a whole piece. Throws without a weight > 0.
 */
export function pickBySize(weights: readonly number[]): WeightedPicker {
  const total = sum(weights);
  requirePositive(total);
  const heaviest = indexOfHeaviest(weights);
  const given = weights.map(() => 0);
  let all = 0;
  return {
    pick(size) {
      const piece = Number.isFinite(size) && size > 0 ? size : 1;
      let chosen = -1;
      let best = Number.POSITIVE_INFINITY;
      for (let index = 0; index < weights.length; index++) {
        const weight = weights[index] ?? 0;
        const before = given[index] ?? 0;
        const behind = before * total < (all + piece) * weight;
        if (behind && (before + piece) / weight < best) {
          best = (before + piece) / weight;
          chosen = index;
        }
      }
      if (chosen < 0) chosen = heaviest;
      given[chosen] = (given[chosen] ?? 0) + piece;
      all += piece;
      return chosen;
    },
  };
}

/** Compares the turns by which each must be picked again, (count + 1) / weight, without dividing. */
function earlier(count: number, weight: number, otherCount: number, otherWeight: number): boolean {
  return (count + 1) * otherWeight < (otherCount + 1) * weight;
}

/** The weights times a power of ten that makes them integers (0.7 and 0.3 are 7 and 3), shared factors removed. */
function toIntegers(weights: readonly number[]): number[] {
  const decimals = Math.max(0, ...weights.map(decimalsOf));
  const scaled = weights.map((weight) => Math.round(weight * 10 ** decimals));
  if (scaled.some((weight) => !Number.isSafeInteger(weight))) return [...weights];
  const divisor = scaled.reduce(greatestCommonDivisor, 0) || 1;
  return scaled.map((weight) => weight / divisor);
}

function decimalsOf(weight: number): number {
  const [digits = '', exponent = '0'] = String(weight).split('e');
  return Math.max(0, (digits.split('.')[1] ?? '').length - Number(exponent));
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

/** Who gets the work if rounding of extreme weights leaves nobody behind its share. */
function indexOfHeaviest(weights: readonly number[]): number {
  return weights.indexOf(Math.max(...weights));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function requirePositive(total: number): void {
  if (!(total > 0)) throw new RangeError('at least one weight must be above zero');
}
