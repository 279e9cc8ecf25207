/** The bytes of a line's request and of its answer, by which totals are shared out. */
export interface LineBytes {
  /** 0-based. */
  line: number;
  input: number;
  output: number;
}

/**
 * Shares `total` out by weight, in whole numbers that add up to it exactly: each line has its share rounded down, and
 * what is left goes to the largest remainders, the earlier line first. The order of `weights` changes nothing. Without
 * any weight all lines weigh the same. `total` is a safe integer ≥ 0, weights are integers ≥ 0.
 */
export function shareOut(total: number, weights: ReadonlyMap<number, number>): Map<number, number> {
  const sum = [...weights.values()].reduce((left, right) => left + BigInt(right), 0n);
  const isEven = sum === 0n;
  const whole = isEven ? BigInt(weights.size) : sum;
  const shares = [...weights]
    .toSorted(([left], [right]) => left - right)
    .map(([line, weight]) => {
      const product = BigInt(total) * (isEven ? 1n : BigInt(weight));
      return { line, share: Number(product / whole), remainder: product % whole };
    });
  const rest = total - shares.reduce((left, { share }) => left + share, 0);
  const first = shares.toSorted((left, right) =>
    left.remainder === right.remainder ? left.line - right.line : left.remainder < right.remainder ? 1 : -1,
  );
  for (const each of first.slice(0, rest)) each.share += 1;
  return new Map(shares.map(({ line, share }) => [line, share]));
}

/**
 * Tokens of each line by its part of `rest`, what a job used beyond what its answers report: input by the bytes of the
 * request, output by the bytes of the answer. Both add up exactly.
 */
export function trueUp(
  rest: { input: number; output: number },
  lines: readonly LineBytes[],
): Map<number, { input: number; output: number }> {
  const input = shareOut(rest.input, new Map(lines.map((each) => [each.line, each.input])));
  const output = shareOut(rest.output, new Map(lines.map((each) => [each.line, each.output])));
  return new Map(lines.map(({ line }) => [line, { input: input.get(line) ?? 0, output: output.get(line) ?? 0 }]));
}
