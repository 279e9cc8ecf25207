import type { EvalTargetFigures } from '../../protocol/eval-comparison.ts';

type Figures = Pick<EvalTargetFigures, 'target' | 'pass_rate' | 'cost'>;

/**
 * The targets that no other beats: none is at least as good (pass rate) and at least as cheap (cost per item), and better
 * in one of the two. The cheapest first. Targets without a price or without a grade are on no frontier.
 */
export function frontierOf(targets: readonly Figures[]): string[] {
  const placed = targets.flatMap(({ target, pass_rate, cost }) =>
    pass_rate.value === null || cost.per_item_nano_usd === null
      ? []
      : [{ target, quality: pass_rate.value, cost: cost.per_item_nano_usd }],
  );
  return placed
    .filter((one) => !placed.some((other) => beats(other, one)))
    .sort((a, b) => a.cost - b.cost || a.quality - b.quality)
    .map(({ target }) => target);
}

interface Place {
  quality: number;
  cost: number;
}

function beats(other: Place, one: Place): boolean {
  const isNoWorse = other.quality >= one.quality && other.cost <= one.cost;
  return isNoWorse && (other.quality > one.quality || other.cost < one.cost);
}
