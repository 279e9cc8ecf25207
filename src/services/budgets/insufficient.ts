import { ApiError, passesWithTime } from '../../core/api-error.ts';
import { NEVER } from '../../core/budget-period.ts';
import { formatUsd } from '../../core/money.ts';
import type { BudgetState } from '../../ports/store-budgets.ts';

const SPENT = 'insufficient_quota';

/** Whether nothing but another request, or more money, changes such an answer. */
export function isRefusedForGood({ status, code }: ApiError): boolean {
  return !passesWithTime(status) || code === SPENT;
}

/** Nano-USD that a budget has left beside what it holds; below zero when it is overdrawn. */
export function leftOf({ limitNano, usage }: BudgetState): bigint {
  return BigInt(limitNano) - usage.spentNano - usage.heldNano;
}

/** The first of these budgets that has no room for `amountNano`; null when all have. */
export function firstShort(budgets: readonly BudgetState[], amountNano: number): BudgetState | null {
  return (
    budgets.find((budget) => {
      const left = leftOf(budget);
      return budget.onInsufficient === 'reject' ? left < BigInt(amountNano) : left <= 0n;
    }) ?? null
  );
}

/**
 * OpenAI's answer to those who have no credit left: 429 with `insufficient_quota`, which asking again does not change.
 * What a budget of several tenants has left is not theirs to know.
 */
export function insufficientQuota(noun: 'batch' | 'request', budget: BudgetState | null, amountNano: number): ApiError {
  const own = budget !== null && (budget.tenantId !== null || budget.keyId !== null);
  const left = own ? leftOf(budget) : 0n;
  const rest = own && left > 0n ? `has $${formatUsd(left)} left` : 'has not enough left';
  const until =
    own && budget.usage.endsAt < NEVER ? ` until ${new Date(budget.usage.endsAt * 1000).toISOString()}` : '';
  const message =
    `This ${noun} may cost up to $${formatUsd(amountNano)}, and a budget that covers it ${rest}${until}. ` +
    `Send less, wait for what is running, or ask the operator for more.`;
  return new ApiError(429, message, {
    code: SPENT,
    type: SPENT,
    headers: { 'x-should-retry': 'false' },
  });
}

/** A target whose price nobody knows cannot be counted. `reasons` name targets. */
export function unpricedTargets(noun: 'batch' | 'request', reasons: readonly string[]): ApiError {
  const message =
    `This ${noun} is covered by a budget, and requests to ${reasons.slice(0, 3).join('; ')} could not be counted. ` +
    "State a price (POST /v1/prices, or 'price' of the provider), name another target, or set the budget's 'unpriced' to 'allow'.";
  return new ApiError(400, message, { code: 'budget_unpriced', param: 'model' });
}
