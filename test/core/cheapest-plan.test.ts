import { describe, expect, it } from 'vitest';
import { cheapestPlan, type PlanOption } from '../../src/core/cheapest-plan.ts';

function option(change: Partial<PlanOption>): PlanOption {
  const provider = change.provider ?? 'pool';
  return {
    provider,
    model: 'm',
    target: `${provider}/m`,
    mode: 'immediate',
    requests: 1_000,
    refused: 0,
    expectedNano: 1_000_000,
    unpricedReason: null,
    seconds: null,
    linesMin: null,
    ...change,
  };
}

const shares = (plan: ReturnType<typeof cheapestPlan>) =>
  plan.shares.map(({ option: { provider, mode }, requests, expectedNano }) => [provider, mode, requests, expectedNano]);

describe('cheapestPlan', () => {
  it('takes the cheapest target that can do all lines in the window', () => {
    const plan = cheapestPlan([option({ provider: 'dear', expectedNano: 3_000_000 }), option({ seconds: 60 })], 3_600);
    expect(shares(plan)).toEqual([['pool', 'immediate', 1_000, 1_000_000]]);
    expect(plan.options[0]).toMatchObject({ verdict: 'dearer', reason: '3 times the cheapest' });
  });

  it('fills the cheapest up to its limits, and a provider’s limits once for all its models and groups', () => {
    const budget = new Map<string, number>();
    const options = [option({ seconds: 7_200 }), option({ provider: 'batch', mode: 'batch', expectedNano: 2_000_000 })];
    const plan = cheapestPlan(options, 3_600, budget);
    expect(shares(plan)).toEqual([
      ['pool', 'immediate', 500, 500_000],
      ['batch', 'batch', 500, 1_000_000],
    ]);
    expect(shares(cheapestPlan(options, 3_600, budget))).toEqual([['batch', 'batch', 1_000, 2_000_000]]);
  });

  it('leaves out what refuses more lines than others, has no price, or takes no batch so small, with the reason', () => {
    const plan = cheapestPlan(
      [
        option({ provider: 'picky', refused: 3, expectedNano: 1 }),
        option({ provider: 'free', refused: 1, expectedNano: null, unpricedReason: 'no price' }),
        option({ provider: 'large', mode: 'batch', refused: 1, expectedNano: 10, linesMin: 5_000 }),
        option({ refused: 1 }),
      ],
      3_600,
    );
    expect(plan.options.map(({ verdict }) => verdict)).toEqual(['refuses', 'unpriced', 'too_few', 'chosen']);
    expect(shares(plan)).toEqual([['pool', 'immediate', 1_000, 1_000_000]]);
    expect(plan.reason).toContain('3 of 4 cannot do it');
  });

  it('says when no plan does all lines, and never calls an unknown price the cheapest', () => {
    const late = cheapestPlan([option({ seconds: 36_000 })], 3_600);
    expect(late).toMatchObject({ shares: [], reason: expect.stringContaining('900 lines would be left') });
    const unknown = cheapestPlan([option({ expectedNano: null })], 3_600);
    expect(unknown).toMatchObject({ shares: [], reason: 'No target has a price to compare.' });
  });
});
