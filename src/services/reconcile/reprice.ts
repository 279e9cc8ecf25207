import { ApiError } from '../../core/api-error.ts';
import { formatUsd } from '../../core/money.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { AdjustableEntry } from '../../ports/store-ledger.ts';
import { isOfCache } from '../cache/cached-entry.ts';
import { type Otherwise, repriceEntry } from '../ledger/reprice-entry.ts';
import { batchFilter } from '../ledger/summary.ts';
import { refreshPrices } from '../prices/refresh.ts';

type RepriceDeps = Pick<Deps, 'store' | 'providers' | 'prices' | 'priceFiles' | 'ownPrices' | 'clock'>;

const PAGE = 500;

/** Sums of a target's entries: what they came to, and what they would have. */
interface Sums {
  entries: number;
  actual: bigint;
  repriced: bigint;
  /** Entries without an amount, as they are and otherwise. */
  actualUnpriced: number;
  repricedUnpriced: number;
}

/**
 * What a batch would have cost on another provider, model or mode, or by the prices of another day: the tokens that were
 * used, at those rates. Reads only. Throws ApiError 404 for a batch the actor may not see, 400 for a provider that is not
 * configured.
 */
export async function repriceBatch(
  deps: RepriceDeps,
  context: Pick<Context, 'actor' | 'signal'>,
  batchId: string,
  otherwise: Otherwise,
) {
  const filter = await batchFilter(deps, context, batchId);
  if (otherwise.provider !== undefined && !deps.providers.has(otherwise.provider)) {
    const known = [...deps.providers.keys()].join(', ') || 'none';
    throw new ApiError(400, `There is no provider '${otherwise.provider.slice(0, 64)}'. Configured: ${known}.`, {
      code: 'invalid_value',
      param: 'provider',
    });
  }
  await refreshPrices(deps);
  const targets = new Map<string, Sums>();
  const reasons = new Map<string, number>();
  let after = 0;
  for (;;) {
    context.signal.throwIfAborted();
    const entries = await deps.store.ledger.adjustable(filter, { after, limit: PAGE, unpricedOnly: false });
    for (const entry of entries) {
      after = entry.place;
      const found = isOfCache(entry) ? { amountNano: 0 } : repriceEntry(deps, entry, otherwise);
      if ('unpriced' in found) reasons.set(found.unpriced, (reasons.get(found.unpriced) ?? 0) + 1);
      add(targets, entry, 'unpriced' in found ? null : found.amountNano);
    }
    if (entries.length < PAGE) break;
  }
  return present(batchId, otherwise, targets, reasons);
}

function add(targets: Map<string, Sums>, entry: AdjustableEntry, amountNano: number | null): void {
  const none: Sums = { entries: 0, actual: 0n, repriced: 0n, actualUnpriced: 0, repricedUnpriced: 0 };
  const sums = targets.get(entry.target) ?? none;
  targets.set(entry.target, sums);
  sums.entries += 1;
  sums.actual += BigInt(entry.amountNano ?? 0);
  sums.actualUnpriced += entry.amountNano === null ? 1 : 0;
  sums.repriced += BigInt(amountNano ?? 0);
  sums.repricedUnpriced += amountNano === null ? 1 : 0;
}

function present(batchId: string, otherwise: Otherwise, targets: Map<string, Sums>, reasons: Map<string, number>) {
  const rows = [...targets].sort(([left], [right]) => (left < right ? -1 : 1));
  const total = (pick: (sums: Sums) => bigint) => rows.reduce((sum, [, each]) => sum + pick(each), 0n);
  const count = (pick: (sums: Sums) => number) => rows.reduce((sum, [, each]) => sum + pick(each), 0);
  const { provider, model, isBatch, at } = otherwise;
  return {
    object: 'batch.repricing' as const,
    batch_id: batchId,
    provider: provider ?? null,
    model: model ?? null,
    mode: isBatch === undefined ? null : isBatch ? ('batch' as const) : ('standard' as const),
    prices_at: at ?? null,
    ...figures({
      entries: count((each) => each.entries),
      actual: total((each) => each.actual),
      repriced: total((each) => each.repriced),
      actualUnpriced: count((each) => each.actualUnpriced),
      repricedUnpriced: count((each) => each.repricedUnpriced),
    }),
    unpriced: [...reasons].map(([reason, entries]) => ({ reason, entries })),
    data: rows.map(([target, sums]) => ({ target, ...figures(sums) })),
  };
}

function figures({ entries, actual, repriced, actualUnpriced, repricedUnpriced }: Sums) {
  const usd = (nano: bigint) => formatUsd(nano) ?? '0';
  return {
    entries,
    actual_nano_usd: actual,
    actual_usd: usd(actual),
    actual_unpriced_entries: actualUnpriced,
    repriced_nano_usd: repriced,
    repriced_usd: usd(repriced),
    repriced_unpriced_entries: repricedUnpriced,
    difference_nano_usd: repriced - actual,
    difference_usd: usd(repriced - actual),
  };
}
