import { ApiError } from '../../core/api-error.ts';
import { parseUsdToNano } from '../../core/money.ts';
import { toDecimal } from '../../core/rates.ts';
import type { BudgetUpdate } from '../../protocol/budget.ts';

/** The limit that is stated in one of two ways, in nano-USD; undefined when it is in neither. Throws 400. */
export function readLimit({ limit_usd: usd, limit_nano_usd: nano }: BudgetUpdate): number | undefined {
  if (usd !== undefined && nano !== undefined)
    throw invalid('limit_usd', "give 'limit_usd' or 'limit_nano_usd', not both");
  if (usd === undefined) return nano;
  const said = typeof usd === 'number' ? toDecimal(usd) : usd;
  let amount: bigint;
  try {
    amount = parseUsdToNano(said);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid('limit_usd', 'give USD as a decimal with at most nine decimals, such as "12.50"');
  }
  if (amount < 0n || amount > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalid('limit_usd', 'give an amount from 0 to 9007199');
  }
  return Number(amount);
}

/** Thresholds ascending, each once. */
export function readThresholds(stated: readonly number[]): number[] {
  return [...new Set(stated)].sort((left, right) => left - right);
}

/** A 400 that names the field and what to do. */
export function invalid(param: string, remedy: string): ApiError {
  return new ApiError(400, `Invalid '${param}': ${remedy}.`, { code: 'invalid_value', param });
}
