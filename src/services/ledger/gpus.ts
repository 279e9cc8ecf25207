import { ApiError } from '../../core/api-error.ts';
import { amountFor, formatUsd } from '../../core/money.ts';
import type { CompiledOwnPrice } from '../../core/own-price.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerSummaryRow } from '../../ports/store-ledger.ts';
import type { GpuAccount, GpuAccounts } from '../../protocol/ledger.ts';

const DAY = 86_400;
const MICROS = 1_000_000;

/**
 * What pools that are paid by the hour cost between two times (Unix seconds; the last 24 hours by default): marginal, the
 * time in which they worked, as the entries have it; and amortised, the whole time, as whoever rents or owns them pays it.
 * Throws 400 for a time that ends before it begins.
 */
export async function gpuAccounts(
  deps: Pick<Deps, 'store' | 'ownPrices' | 'clock'>,
  query: { from?: number | undefined; to?: number | undefined },
): Promise<GpuAccounts> {
  const to = query.to ?? unixSeconds(deps.clock);
  const from = query.from ?? to - DAY;
  if (from >= to) {
    throw new ApiError(400, "'from' must be before 'to'.", { code: 'invalid_value', param: 'from' });
  }
  const rows = await deps.store.ledger.summary({ tenantId: null, from, to }, ['provider', 'model'], null);
  const data = gpuWork(deps, rows).map((pool) => accountOf({ ...pool, seconds: to - from }));
  return { object: 'list', from, to, data };
}

/** What a pool that is paid by the hour did, as entries have it. */
export interface GpuWork {
  provider: string;
  /** Null where one price holds for all models of the provider. */
  model: string | null;
  /** Nano-USD a second. */
  rate: number;
  /** Microseconds. */
  busy: number;
  tokens: number;
  marginal: bigint;
}

/** Sums by provider and model, put together by pool; pools without any work are there too. */
export function gpuWork({ ownPrices }: Pick<Deps, 'ownPrices'>, rows: readonly LedgerSummaryRow[]): GpuWork[] {
  const pools: GpuWork[] = [];
  for (const [provider, book] of ownPrices) {
    for (const [model, price] of [[null, book.any] as const, ...book.models]) {
      const rate = gpuRate(price);
      if (rate === null) continue;
      const own = rows.filter(({ group }) => {
        const name = String(group.model).toLowerCase();
        return group.provider === provider && (model === null ? !book.models.has(name) : name === model);
      });
      const sum = (pick: (row: LedgerSummaryRow) => number) => own.reduce((total, row) => total + pick(row), 0);
      pools.push({
        provider,
        model,
        rate,
        busy: sum((row) => row.gpuMicroseconds),
        tokens: sum((row) => row.inputTokens + row.outputTokens),
        marginal: own.reduce((total, row) => total + row.amountNano, 0n),
      });
    }
  }
  return pools;
}

function gpuRate(price: CompiledOwnPrice | null): number | null {
  return price?.standard.gpu_second ?? null;
}

function accountOf(pool: GpuWork & { seconds: number }): GpuAccount {
  const { provider, model, rate, busy, tokens, marginal, seconds } = pool;
  const amortised = amountFor(BigInt(seconds) * BigInt(MICROS), rate);
  const perMillion = (amount: bigint) => (tokens === 0 ? null : formatUsd((amount * 1_000_000n) / BigInt(tokens)));
  return {
    object: 'gpu.account',
    provider,
    model,
    price_per_second_nano_usd: rate,
    reserved_seconds: seconds,
    busy_seconds: busy / MICROS,
    occupancy: busy / MICROS / seconds,
    tokens,
    marginal_nano_usd: Number(marginal),
    marginal_usd: formatUsd(marginal) ?? '0',
    amortised_nano_usd: Number(amortised),
    amortised_usd: formatUsd(amortised) ?? '0',
    idle_usd: formatUsd(amortised - marginal) ?? '0',
    marginal_usd_per_million_tokens: perMillion(marginal),
    amortised_usd_per_million_tokens: perMillion(amortised),
  };
}
