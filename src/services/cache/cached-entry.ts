import type { LedgerEntryRow } from '../../ports/store-ledger.ts';

const HIT = { cache: 'hit' } as const;

/** Whether an entry is of an answer that was given again: it costs nothing at whatever prices. */
export function isOfCache({ usage, rawUsage }: Pick<LedgerEntryRow, 'usage' | 'rawUsage'>): boolean {
  return usage === null && rawUsage !== null && 'cache' in rawUsage && rawUsage.cache === HIT.cache;
}

/**
 * The entry of a request that was answered from the cache, made of the one that its answer would have had: it used and
 * cost nothing, and what it would have cost stands as its list amount: in a provider batch that is the batch's price.
 */
export function cachedEntry(entry: LedgerEntryRow): LedgerEntryRow {
  return {
    ...entry,
    usage: null,
    rawUsage: HIT,
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    rates: null,
    priceVersion: null,
    amountNano: 0,
    listAmountNano: entry.mode === 'batch' ? entry.amountNano : entry.listAmountNano,
    estimated: false,
    unpricedReason: null,
    // Nobody was asked: a time of 0 would make its target look fast.
    latencyMs: null,
  };
}
