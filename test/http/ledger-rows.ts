import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';

export const startOfDay = 1_789_948_800; // 2026-09-21T00:00:00Z

/** An entry of a request that succeeded at that time. */
export function entry(change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  return {
    createdAt: startOfDay,
    tenantId: 'default',
    keyId: null,
    batchId: null,
    customId: 'r-1',
    line: 1,
    attempt: 1,
    mode: 'immediate',
    provider: 'pool-a',
    target: 'pool-a/llama',
    model: 'llama',
    servedModel: 'llama-3.3',
    status: 'succeeded',
    final: true,
    statusCode: 200,
    errorCode: null,
    usage: { input_tokens: 10, output_tokens: 5 },
    rawUsage: { prompt_tokens: 10, completion_tokens: 5 },
    inputTokens: 10,
    cachedInputTokens: 0,
    outputTokens: 5,
    rates: null,
    priceVersion: '2026-01-01',
    amountNano: 1_234,
    listAmountNano: 2_468,
    estimated: false,
    unpricedReason: null,
    tags: { team: 'search' },
    latencyMs: 12,
    ...change,
  };
}
