import type { LedgerEntryRow } from '../../ports/store-ledger.ts';

/**
 * The entry of a request that was answered from the cache, made of the one that its answer would have had: it used and
 * cost nothing, and what it would have cost stands as its list amount: in a provider batch that is the batch's price.
 */
export function cachedEntry(entry: LedgerEntryRow): LedgerEntryRow {
  return {
    ...entry,
    usage: null,
    rawUsage: { cache: 'hit' },
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    rates: null,
    priceVersion: null,
    amountNano: 0,
    listAmountNano: entry.mode === 'batch' ? entry.amountNano : entry.listAmountNano,
    estimated: false,
    unpricedReason: null,
    latencyMs: 0,
  };
}
