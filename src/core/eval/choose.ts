import type { EvalChoice, EvalChoiceCreate, EvalChoiceTarget } from '../../protocol/eval-choice.ts';
import type { EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { divideHalfEven, formatUsd, toSafeInteger } from '../money.ts';

type Rules = Omit<EvalChoiceCreate, 'apply_to'>;
type Figures = Pick<EvalTargetFigures, 'target' | 'graded' | 'pass_rate' | 'cost'>;

const WHOLE = 100;
const Z_95 = 1.959963984540054;

/**
 * Weights for targets by dollars per accepted answer, among those that are good enough, with the reasons. Targets that
 * are too little known, too poor or without a price get nothing; of those left, half the dollars per accepted answer is
 * twice the weight. Weights are whole and add up to 100, or are all 0 when no target is left.
 */
export function chooseTargets(
  targets: readonly Figures[],
  rules: Rules,
): Pick<EvalChoice, 'targets' | 'expected' | 'reasoning'> {
  const judged = targets.map((figures) => ({ figures, problem: problemOf(figures, rules) }));
  const eligible = judged.flatMap(({ figures, problem }) => (problem === null ? [figures] : []));
  const weights = weightsOf(eligible.map(costPerAccepted), rules.strategy);
  const chosen = judged.map(({ figures, problem }) => {
    const weight = weights[eligible.indexOf(figures)] ?? 0;
    return { ...choiceOf(figures, weight, problem ?? reasonFor(figures, weight, rules)), eligible: problem === null };
  });
  return { targets: chosen, expected: expectedOf(chosen), reasoning: reasoningOf(chosen, rules) };
}

/** Why a target may get no weight; null when it may. */
function problemOf({ graded, pass_rate: { value, low }, cost }: Figures, rules: Rules): string | null {
  if (value === null || graded < rules.items_least) {
    return `Only ${graded} items are graded; at least ${rules.items_least} are wanted before it is judged.`;
  }
  const floor = percent(rules.quality_floor);
  if (value < rules.quality_floor) return `It passes ${percent(value)}, below the floor of ${floor}.`;
  if (rules.certainty === 'sure' && (low ?? 0) < rules.quality_floor) {
    return `It passes ${percent(value)}, but by ${graded} items that may be as little as ${percent(low ?? 0)}, below the floor of ${floor}.${moreItems(value, rules.quality_floor)}`;
  }
  if (cost.per_accepted_nano_usd === null) {
    return `Its dollars per accepted answer are not known: ${cost.reason ?? 'no answer was accepted.'}`;
  }
  return null;
}

/** How many items would tell the pass rate from the floor, if it stays. */
function moreItems(value: number, floor: number): string {
  if (value <= floor) return '';
  const items = Math.ceil((Z_95 * Z_95 * Math.max(value * (1 - value), 0.01)) / (value - floor) ** 2);
  return ` About ${items} items would settle it.`;
}

function costPerAccepted(figures: Figures): number {
  return figures.cost.per_accepted_nano_usd ?? 0;
}

/** Whole weights that add up to 100, each as near to its share as that allows; those without cost leave others none. */
function weightsOf(costs: readonly number[], strategy: Rules['strategy']): number[] {
  const least = Math.min(...costs);
  const values =
    strategy === 'cheapest' || least === 0
      ? costs.map((cost) => Number(cost === least))
      : costs.map((cost) => least / cost);
  if (strategy === 'cheapest') values.fill(0, values.indexOf(1) + 1);
  const total = values.reduce((sum, value) => sum + value, 0);
  const shares = values.map((value) => (value / total) * WHOLE);
  const weights = shares.map(Math.floor);
  const missing = WHOLE - weights.reduce((sum, weight) => sum + weight, 0);
  const byRemainder = shares
    .map((share, index) => ({ index, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder.slice(0, missing)) weights[index] = (weights[index] ?? 0) + 1;
  return weights;
}

function choiceOf(figures: Figures, weight: number, reason: string): Omit<EvalChoiceTarget, 'eligible'> {
  const { target, graded, pass_rate, cost } = figures;
  return {
    target,
    weight,
    reason,
    graded,
    pass_rate,
    per_accepted_nano_usd: cost.per_accepted_nano_usd,
    per_accepted_usd: cost.per_accepted_usd,
  };
}

function reasonFor({ pass_rate: { value }, cost }: Figures, weight: number, rules: Rules): string {
  const facts = `It passes ${percent(value ?? 0)} for $${cost.per_accepted_usd} an accepted answer`;
  if (weight > 0) return `${facts}.`;
  return rules.strategy === 'cheapest'
    ? `${facts}; another is cheaper.`
    : `${facts}; that is too dear for a weight of at least 1 beside the others.`;
}

/** Of requests divided by the weights: what share passes, and what an accepted answer then costs. */
function expectedOf(chosen: readonly EvalChoiceTarget[]): EvalChoice['expected'] {
  const parts = chosen.filter(({ weight }) => weight > 0);
  if (parts.length === 0) return null;
  const accepted = parts.reduce((sum, { weight, pass_rate }) => sum + weight * (pass_rate.value ?? 0), 0);
  // In millionths of an accepted answer, so that money stays whole numbers.
  const scale = (value: number): bigint => BigInt(Math.round(value * 1_000_000));
  const spent = parts.reduce(
    (sum, { weight, pass_rate, per_accepted_nano_usd }) =>
      sum + scale(weight * (pass_rate.value ?? 0)) * BigInt(per_accepted_nano_usd ?? 0),
    0n,
  );
  const perAccepted = accepted > 0 ? toSafeInteger(divideHalfEven(spent, scale(accepted))) : 0;
  return {
    pass_rate: accepted / WHOLE,
    per_accepted_nano_usd: perAccepted,
    per_accepted_usd: formatUsd(perAccepted) ?? '0',
  };
}

function reasoningOf(chosen: readonly EvalChoiceTarget[], rules: Rules): string[] {
  const taken = chosen.filter(({ weight }) => weight > 0);
  const floor = percent(rules.quality_floor);
  const measure = rules.certainty === 'sure' ? 'the low end of its 95 % interval' : 'its pass rate';
  const sentences = [
    `A target must have ${measure} at ${floor} or above on at least ${rules.items_least} graded items, and a known price.`,
  ];
  if (taken.length === 0) return [...sentences, 'No target fulfils this, so nothing is proposed.'];
  const how =
    rules.strategy === 'cheapest'
      ? 'The one with the fewest dollars per accepted answer gets all requests.'
      : 'Those that do share the requests by accepted answers per dollar.';
  const left = chosen.length - taken.length;
  return [
    ...sentences,
    `${taken.length} of ${chosen.length} ${taken.length === 1 ? 'gets requests' : 'get requests'}${left > 0 ? `; ${left} ${left === 1 ? 'gets' : 'get'} none` : ''}.`,
    how,
    ...(rules.certainty === 'likely'
      ? taken
          .filter(({ pass_rate }) => (pass_rate.low ?? 0) < rules.quality_floor)
          .map(
            ({ target, pass_rate }) =>
              `'${target}' may still be below the floor: its interval begins at ${percent(pass_rate.low ?? 0)}.${moreItems(pass_rate.value ?? 0, rules.quality_floor)}`,
          )
      : []),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
