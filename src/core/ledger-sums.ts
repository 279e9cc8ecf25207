/** What a group of ledger entries adds up to. Money is exact beyond 2^53; unpriced entries add none. */
export interface LedgerSums {
  entries: number;
  requests: number;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  amountNano: bigint;
  listAmountNano: bigint;
  unpricedEntries: number;
  /** List amount less amount, of the entries that have both. */
  savingsNano: bigint;
  /** Time on pools that are paid by the hour. */
  gpuMicroseconds: number;
}

export function emptySums(): LedgerSums {
  return {
    entries: 0,
    requests: 0,
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    amountNano: 0n,
    listAmountNano: 0n,
    unpricedEntries: 0,
    savingsNano: 0n,
    gpuMicroseconds: 0,
  };
}

/** Adds `more` to `sums`, in place. */
export function addTo(sums: LedgerSums, more: LedgerSums): void {
  sums.entries += more.entries;
  sums.requests += more.requests;
  sums.inputTokens += more.inputTokens;
  sums.cachedInputTokens += more.cachedInputTokens;
  sums.outputTokens += more.outputTokens;
  sums.amountNano += more.amountNano;
  sums.listAmountNano += more.listAmountNano;
  sums.unpricedEntries += more.unpricedEntries;
  sums.savingsNano += more.savingsNano;
  sums.gpuMicroseconds += more.gpuMicroseconds;
}

/** All of them together. */
export function totalOf(all: Iterable<LedgerSums>): LedgerSums {
  const total = emptySums();
  for (const sums of all) addTo(total, sums);
  return total;
}

/** What takes these sums away again. */
export function negative(sums: LedgerSums): LedgerSums {
  return {
    entries: -sums.entries,
    requests: -sums.requests,
    inputTokens: -sums.inputTokens,
    cachedInputTokens: -sums.cachedInputTokens,
    outputTokens: -sums.outputTokens,
    amountNano: -sums.amountNano,
    listAmountNano: -sums.listAmountNano,
    unpricedEntries: -sums.unpricedEntries,
    savingsNano: -sums.savingsNano,
    gpuMicroseconds: -sums.gpuMicroseconds,
  };
}
