import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ComparedFigures, compareTargets } from '../../../src/core/eval/compare.ts';
import type { TargetRecords } from '../../../src/core/eval/item-record.ts';
import { record, targetOf } from './records.ts';

function compare(targets: readonly TargetRecords[], seed = 1, resamples = 400): ComparedFigures {
  const steps = compareTargets(targets, { seed, resamples, confidence: 0.95 });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

describe('compareTargets', () => {
  it('gives the figures that a hand computes for three targets of ten items', () => {
    const good = targetOf('good', '1111111110', 3_000);
    const cheap = targetOf('cheap', '1111111000', 1_000);
    const poor = targetOf('poor', '11111100!?', 2_000);
    const { targets, pairs, frontier, differing, items } = compare([good, cheap, poor]);
    expect(items).toBe(10);
    expect(targets.map(({ target, answered, graded, passed }) => ({ target, answered, graded, passed }))).toEqual([
      { target: 'good', answered: 10, graded: 10, passed: 9 },
      { target: 'cheap', answered: 10, graded: 10, passed: 7 },
      // Without an answer the item failed; what a grader could not grade is left out.
      { target: 'poor', answered: 9, graded: 9, passed: 6 },
    ]);
    expect(targets.map(({ pass_rate, score }) => [pass_rate.value, score.value])).toEqual([
      [0.9, 0.9],
      [0.7, 0.7],
      [6 / 9, 6 / 8],
    ]);
    expect(targets.map(({ error_rate, valid_rate }) => [error_rate, valid_rate])).toEqual([
      [0, 1],
      [0, 1],
      [0.1, 0.9],
    ]);
    expect(targets.map(({ cost }) => [cost.amount_nano_usd, cost.per_item_nano_usd, cost.per_accepted_usd])).toEqual([
      [30_000, 3_000, '0.000003333'],
      [10_000, 1_000, '0.000001429'],
      [20_000, 2_000, '0.000003333'],
    ]);
    expect(frontier).toEqual(['cheap', 'good']);
    expect(targets.map(({ on_frontier }) => on_frontier)).toEqual([true, true, false]);
    expect(pairs[0]).toMatchObject({ a: 'good', b: 'cheap', items: 10, only_a_passed: 2, only_b_passed: 0 });
    expect(pairs[0]).toMatchObject({ p_value: 0.5, agreement: 0.8 });
    // Seen 0.8, by chance 0.9·0.7 + 0.1·0.3 = 0.66.
    expect(pairs[0]?.kappa).toBeCloseTo(0.14 / 0.34, 12);
    expect(pairs[0]?.pass_rate_difference.value).toBeCloseTo(0.2, 12);
    expect(pairs[1]).toMatchObject({ a: 'good', b: 'poor', items: 9, only_a_passed: 3, only_b_passed: 0 });
    expect(differing).toEqual({ count: 3, items: [6, 7, 8] });
  });

  it('tells truncated, refused and invalid answers, tokens, and times at the nearest rank', () => {
    const records = [
      record({ latencyMs: 300, truncated: true, valid: false, passed: false }),
      record({ latencyMs: 100, refused: true, valid: false, passed: false }),
      record({ latencyMs: 200, outputTokens: 7 }),
      record({ latencyMs: null }),
    ];
    const [figures] = compare([{ target: 'only', records }]).targets;
    expect(figures).toMatchObject({ valid_rate: 0.5, truncation_rate: 0.25, refusal_rate: 0.25, error_rate: 0 });
    expect(figures).toMatchObject({ input_tokens: 40, output_tokens: 22 });
    expect(figures?.latency_ms).toEqual({ p50: 200, p90: 300, timed: 3 });
    expect(figures?.score_histogram).toEqual([2, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  });

  it('never calls an unknown price zero, and says why an amount is missing', () => {
    const mixed = { target: 'mixed', records: [record(), record({ costNano: null })] };
    const none = { target: 'none', records: [record({ passed: false }), record({ passed: false })] };
    const { targets, frontier } = compare([mixed, none]);
    expect(targets[0]?.cost).toEqual({
      amount_nano_usd: null,
      amount_usd: null,
      per_item_nano_usd: null,
      per_item_usd: null,
      per_accepted_nano_usd: null,
      per_accepted_usd: null,
      reason: '1 of 2 items have no known price.',
      unpriced_items: 1,
    });
    expect(targets[1]?.cost).toMatchObject({ per_item_nano_usd: 1_000, per_accepted_nano_usd: null });
    expect(targets[1]?.cost.reason).toBe('No answer was accepted.');
    expect(targets.map(({ on_frontier }) => on_frontier)).toEqual([null, true]);
    expect(frontier).toEqual(['none']);
  });

  it('has nothing to say of no items, without failing', () => {
    const { targets, pairs, differing } = compare([targetOf('a', ''), targetOf('b', '')]);
    expect(targets[0]).toMatchObject({ items: 0, error_rate: null, pass_rate: { value: null, low: null, high: null } });
    expect(targets[0]?.cost.reason).toBe('There are no items.');
    expect(pairs[0]).toMatchObject({ p_value: null, agreement: null, kappa: null });
    expect(differing.count).toBe(0);
  });

  it('spreads scores beyond 0 and 1 over the range in which they lie', () => {
    const records = [1, 4, 7].map((score) => record({ score, passed: score > 3 }));
    const { score_range, targets } = compare([{ target: 'judge', records }]);
    expect(score_range).toEqual({ low: 0, high: 7 });
    expect(targets[0]?.score_histogram).toEqual([0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(targets[0]?.score.value).toBe(4);
  });

  const verdicts = fc.stringMatching(/^[01?!]{8}$/);

  it('says of a pair the same from both ends, and of a target the same beside any others', () => {
    fc.assert(
      fc.property(verdicts, verdicts, verdicts, (a, b, c) => {
        const forth = compare([targetOf('a', a, 5), targetOf('b', b, 7), targetOf('c', c, 11)], 3, 60);
        const back = compare([targetOf('b', b, 7), targetOf('a', a, 5)], 3, 60);
        const [one, other] = [forth.pairs[0], back.pairs[0]];
        expect(other).toMatchObject({
          only_a_passed: one?.only_b_passed,
          only_b_passed: one?.only_a_passed,
          p_value: one?.p_value,
          agreement: one?.agreement,
        });
        const low = other?.pass_rate_difference.low ?? null;
        if (low !== null) expect(low).toBeCloseTo(-(one?.pass_rate_difference.high ?? 0), 9);
        expect(back.targets[1]).toEqual({ ...forth.targets[0], on_frontier: back.targets[1]?.on_frontier });
      }),
      { numRuns: 40 },
    );
  });

  it('leaves no target on the frontier that another beats, and always one', () => {
    const target = fc.tuple(verdicts, fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 6 }), (drawn) => {
        const { targets, frontier } = compare(
          drawn.map(([text, cost], index) => targetOf(`t${index}`, text, cost)),
          1,
          2,
        );
        const graded = targets.filter(({ pass_rate }) => pass_rate.value !== null);
        expect(frontier.length > 0).toBe(graded.length > 0);
        const rate = (one: (typeof targets)[number]): number => one.pass_rate.value ?? -1;
        const price = (one: (typeof targets)[number]): number => one.cost.per_item_nano_usd ?? Number.NaN;
        for (const one of graded) {
          const isBeaten = graded.some(
            (other) =>
              rate(other) >= rate(one) &&
              price(other) <= price(one) &&
              (rate(other) > rate(one) || price(other) < price(one)),
          );
          expect(frontier.includes(one.target)).toBe(!isBeaten);
        }
      }),
      { numRuns: 60 },
    );
  });
});
