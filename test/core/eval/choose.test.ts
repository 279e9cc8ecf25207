import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseTargets } from '../../../src/core/eval/choose.ts';
import { wilsonInterval } from '../../../src/core/eval/shares.ts';
import { costOf } from '../../../src/core/eval/target-figures.ts';

const RULES = { quality_floor: 0.8, certainty: 'likely', items_least: 30, strategy: 'spread' } as const;

/** A target that passed `passed` of `items` at a price for each. */
function target(name: string, passed: number, items: number, costNano: number | null) {
  const cost = costOf(
    Array.from({ length: items }, () => ({ costNano })),
    passed,
  );
  return { target: name, graded: items, pass_rate: wilsonInterval(passed, items), cost };
}

describe('chooseTargets', () => {
  it('weighs by accepted answers per dollar: twice the price of an accepted answer is half the weight', () => {
    const { targets, expected, reasoning } = chooseTargets(
      // 900 of 1000 at 1800 is 2000 an accepted answer; 1000 of 1000 at 1000 is 1000; 950 at 3800 is 4000.
      [target('a', 900, 1000, 1_800), target('b', 1000, 1000, 1_000), target('c', 950, 1000, 3_800)],
      RULES,
    );
    expect(targets.map(({ weight, per_accepted_nano_usd }) => [weight, per_accepted_nano_usd])).toEqual([
      [29, 2_000],
      [57, 1_000],
      [14, 4_000],
    ]);
    expect(targets[0]?.reason).toBe('It passes 90.0 % for $0.000002 an accepted answer.');
    // (29·0.9 + 57·1 + 14·0.95) of 100; cost of all by accepted of all.
    expect(expected?.pass_rate).toBeCloseTo(0.964, 12);
    expect(expected?.per_accepted_nano_usd).toBe(Math.round((26.1 * 2_000 + 57_000 + 13.3 * 4_000) / 96.4));
    expect(reasoning).toEqual([
      'A target must have its pass rate at 80.0 % or above on at least 30 graded items, and a known price.',
      '3 of 3 get requests.',
      'Those that do share the requests by accepted answers per dollar.',
    ]);
  });

  it('gives nothing to the poor, the unpriced and the little known, and says why', () => {
    const { targets, reasoning } = chooseTargets(
      [
        target('poor', 79, 100, 1),
        target('unpriced', 100, 100, null),
        target('new', 29, 29, 1),
        target('good', 95, 100, 9_500),
      ],
      RULES,
    );
    expect(targets.map(({ weight }) => weight)).toEqual([0, 0, 0, 100]);
    expect(targets.map(({ reason }) => reason)).toEqual([
      'It passes 79.0 %, below the floor of 80.0 %.',
      'Its dollars per accepted answer are not known: 100 of 100 items have no known price.',
      'Only 29 items are graded; at least 30 are wanted before it is judged.',
      'It passes 95.0 % for $0.00001 an accepted answer.',
    ]);
    expect(reasoning[1]).toBe('1 of 4 gets requests; 3 get none.');
  });

  it('wants the whole interval above the floor when it is to be sure, and warns when it is not', () => {
    const near = target('near', 85, 100, 1_000);
    const far = target('far', 99, 100, 1_000);
    const sure = chooseTargets([near, far], { ...RULES, certainty: 'sure' });
    expect(sure.targets.map(({ weight }) => weight)).toEqual([0, 100]);
    expect(sure.targets[0]?.reason).toMatch(/^It passes 85\.0 %, but by 100 items .* 76\.7 %, .* About 196 items/);
    const likely = chooseTargets([near, far], RULES);
    expect(likely.targets.map(({ weight }) => weight)).toEqual([46, 54]);
    expect(likely.reasoning.at(-1)).toMatch(/^'near' may still be below the floor: its interval begins at 76\.7 %/);
  });

  it('proposes nothing when no target will do', () => {
    const { targets, expected, reasoning } = chooseTargets([target('poor', 1, 100, 1)], RULES);
    expect(targets.map(({ weight, eligible }) => [weight, eligible])).toEqual([[0, false]]);
    expect(expected).toBeNull();
    expect(reasoning.at(-1)).toBe('No target fulfils this, so nothing is proposed.');
    expect(chooseTargets([], RULES).expected).toBeNull();
  });

  it('lets those that cost nothing share everything, and the cheapest alone take it when asked', () => {
    const free = [target('a', 90, 100, 0), target('b', 90, 100, 0), target('c', 90, 100, 5)];
    expect(chooseTargets(free, RULES).targets.map(({ weight }) => weight)).toEqual([50, 50, 0]);
    const cheapest = chooseTargets([target('a', 90, 100, 7), target('b', 90, 100, 5)], {
      ...RULES,
      strategy: 'cheapest',
    });
    expect(cheapest.targets.map(({ weight, eligible }) => [weight, eligible])).toEqual([
      [0, true],
      [100, true],
    ]);
    expect(chooseTargets(free, { ...RULES, strategy: 'cheapest' }).targets.map(({ weight }) => weight)).toEqual([
      100, 0, 0,
    ]);
  });

  it('always divides exactly 100, the cheaper never with less than the dearer', () => {
    const costs = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(costs, (prices) => {
        const { targets } = chooseTargets(
          prices.map((price, index) => target(`t${index}`, 40, 40, price)),
          RULES,
        );
        expect(targets.reduce((sum, { weight }) => sum + weight, 0)).toBe(100);
        for (const [index, one] of targets.entries()) {
          for (const [other, price] of prices.entries()) {
            if (price > (prices[index] ?? 0)) expect(targets[other]?.weight).toBeLessThanOrEqual(one.weight);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
