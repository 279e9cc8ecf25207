import { ApiError } from '../../core/api-error.ts';
import { formatUsd } from '../../core/money.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { AdjustableEntry, Correction, LedgerFilter } from '../../ports/store-ledger.ts';
import type { LedgerAdjustment } from '../../protocol/ledger.ts';
import { isOfCache } from '../cache/cached-entry.ts';
import { refreshPrices } from '../prices/refresh.ts';
import { repriceEntry } from './reprice-entry.ts';

export interface AdjustInput {
  filter: LedgerFilter;
  /** Only entries without an amount, or every entry whose amount would be another one. */
  unpricedOnly: boolean;
  /** Why, as the new entries will say. */
  reason: string;
  dryRun: boolean;
  /** Unix seconds: as if the requests had been made then. Absent: when they were. */
  pricesAt?: number | undefined;
}

type AdjustDeps = Pick<Deps, 'store' | 'providers' | 'prices' | 'priceFiles' | 'ownPrices' | 'clock'>;

const PAGE = 500;
/** Entries looked at in one call, so that it ends in time. */
const EXAMINED_MAX = 200_000;

/**
 * Prices past entries by the prices known now. What changes is taken back and stated anew by two entries that are dated
 * now; what was written stays. A dry run tells what would be done.
 */
export async function adjustLedger(
  deps: AdjustDeps,
  input: AdjustInput,
  signal: AbortSignal,
): Promise<LedgerAdjustment> {
  await refreshPrices(deps);
  const counts = { examined: 0, adjusted: 0, unchanged: 0, still_unpriced: 0 };
  const rows = new Map<string, { provider: string; model: string; entries: number; before: bigint; after: bigint }>();
  let after = 0;
  let hasMore = true;
  while (hasMore && counts.examined < EXAMINED_MAX) {
    signal.throwIfAborted();
    const entries = await deps.store.ledger.adjustable(input.filter, {
      after,
      limit: PAGE,
      unpricedOnly: input.unpricedOnly,
    });
    const corrections: Correction[] = [];
    for (const entry of entries) {
      after = entry.place;
      counts.examined += 1;
      const corrected = correct(deps, entry, input.pricesAt);
      if (corrected === 'unpriced') counts.still_unpriced += 1;
      else if (corrected === 'same') counts.unchanged += 1;
      else corrections.push(corrected);
    }
    if (!input.dryRun) await write(deps, corrections, input.reason);
    counts.adjusted += corrections.length;
    for (const correction of corrections) addRow(rows, correction);
    hasMore = entries.length === PAGE;
  }
  return present(input.dryRun, counts, [...rows.values()], hasMore);
}

async function write(deps: AdjustDeps, corrections: readonly Correction[], note: string): Promise<void> {
  if (await deps.store.ledger.adjust(corrections, { now: unixSeconds(deps.clock), note })) return;
  throw new ApiError(
    409,
    'Another adjustment of the same entries ran at this moment. What this one had done stays; run it again for the rest.',
    { code: 'adjusted_meanwhile' },
  );
}

function correct(deps: AdjustDeps, entry: AdjustableEntry, at: number | undefined): Correction | 'unpriced' | 'same' {
  if (isOfCache(entry)) return 'same';
  const found = repriceEntry(deps, entry, { at });
  if ('unpriced' in found) return entry.amountNano === null ? 'unpriced' : 'same';
  const { amountNano, listAmountNano } = found;
  return amountNano === entry.amountNano && listAmountNano === entry.listAmountNano ? 'same' : { entry, ...found };
}

function addRow(
  rows: Map<string, { provider: string; model: string; entries: number; before: bigint; after: bigint }>,
  correction: Correction,
): void {
  const { entry, amountNano } = correction;
  const key = `${entry.provider} ${entry.model}`;
  const row = rows.get(key) ?? { provider: entry.provider, model: entry.model, entries: 0, before: 0n, after: 0n };
  row.entries += 1;
  row.before += BigInt(entry.amountNano ?? 0);
  row.after += BigInt(amountNano);
  rows.set(key, row);
}

function present(
  dryRun: boolean,
  counts: Pick<LedgerAdjustment, 'examined' | 'adjusted' | 'unchanged' | 'still_unpriced'>,
  rows: readonly { provider: string; model: string; entries: number; before: bigint; after: bigint }[],
  hasMore: boolean,
): LedgerAdjustment {
  const money = (before: bigint, after: bigint) => ({
    before_nano_usd: Number(before),
    before_usd: formatUsd(before) ?? '0',
    after_nano_usd: Number(after),
    after_usd: formatUsd(after) ?? '0',
    difference_usd: formatUsd(after - before) ?? '0',
  });
  const total = (pick: (row: { before: bigint; after: bigint }) => bigint) =>
    rows.reduce((sum, row) => sum + pick(row), 0n);
  return {
    object: 'ledger.adjustment',
    dry_run: dryRun,
    ...counts,
    ...money(
      total((row) => row.before),
      total((row) => row.after),
    ),
    data: rows.map(({ provider, model, entries, before, after }) => ({
      provider,
      model,
      entries,
      ...money(before, after),
    })),
    has_more: hasMore,
  };
}
