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
    paces: change.seconds ? [{ key: `provider ${provider}`, seconds: change.seconds }] : [],
    openSeconds: 3_600,
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

  it('keeps to each limit of a target, those that others share once, and to its hours', () => {
    const paces = (target: string, seconds: number) => [
      { key: 'account', seconds: 2_400 },
      { key: target, seconds },
    ];
    const options = [
      option({ target: 'pool/a', seconds: 7_200, paces: paces('a', 7_200) }),
      option({ target: 'pool/b', seconds: 2_400, paces: paces('b', 1_800), expectedNano: 2_000_000 }),
    ];
    const budget = new Map<string, number>();
    const plan = cheapestPlan(options, 3_600, budget);
    expect(plan.shares.map(({ option: { target }, requests }) => [target, requests])).toEqual([
      ['pool/a', 500],
      ['pool/b', 500],
    ]);
    // Half of the first one's time and half of the other's are two thirds of what their account gives.
    expect(budget.get('account')).toBeCloseTo(1 / 3);
    const night = option({ seconds: 2_400, openSeconds: 1_200 });
    const rest = option({ provider: 'day', expectedNano: 9_000_000 });
    expect(shares(cheapestPlan([night, rest], 3_600))).toEqual([
      ['pool', 'immediate', 500, 500_000],
      ['day', 'immediate', 500, 4_500_000],
    ]);
    const never = cheapestPlan([option({ openSeconds: 0 }), rest], 3_600);
    expect(never.options[0]).toMatchObject({ verdict: 'too_slow', reason: expect.stringContaining('no hours') });
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
