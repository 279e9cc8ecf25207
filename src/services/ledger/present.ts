import type { LedgerSums } from '../../core/ledger-sums.ts';
import { formatUsd } from '../../core/money.ts';
import type { StoredLedgerEntry } from '../../ports/store-ledger.ts';
import type { LedgerEntryObject, LedgerFigures } from '../../protocol/ledger.ts';

/** Figures whose sums stay exact beyond 2^53: they are written as integers all the same. */
export type ExactFigures = Omit<LedgerFigures, 'amount_nano_usd' | 'list_amount_nano_usd' | 'savings_nano_usd'> & {
  amount_nano_usd: bigint;
  list_amount_nano_usd: bigint;
  savings_nano_usd: bigint;
};

/** An entry as clients see it: money in integer nano-dollars beside an exact decimal string, null when unpriced. */
export function toLedgerEntry(row: StoredLedgerEntry): LedgerEntryObject {
  return {
    id: row.id,
    object: 'ledger.entry',
    created_at: row.createdAt,
    batch_id: row.batchId,
    custom_id: row.customId,
    line: row.line,
    attempt: row.attempt,
    mode: row.mode,
    provider: row.provider,
    target: row.target,
    model: row.model,
    served_model: row.servedModel,
    status: row.status,
    status_code: row.statusCode,
    error_code: row.errorCode,
    key_id: row.keyId,
    tags: row.tags ?? {},
    usage: row.usage,
    raw_usage: row.rawUsage,
    rates: row.rates === null ? null : { ...row.rates },
    price_version: row.priceVersion,
    amount_nano_usd: row.amountNano,
    amount_usd: formatUsd(row.amountNano),
    list_amount_nano_usd: row.listAmountNano,
    list_amount_usd: formatUsd(row.listAmountNano),
    estimated: row.estimated,
    unpriced_reason: row.unpricedReason,
    kind: row.adjustment?.kind ?? 'attempt',
    adjusts: row.adjustment?.adjusts ?? null,
    note: row.adjustment?.note ?? null,
  };
}

export function toFigures(sums: LedgerSums): ExactFigures {
  return {
    entries: sums.entries,
    requests: sums.requests,
    input_tokens: sums.inputTokens,
    cached_input_tokens: sums.cachedInputTokens,
    output_tokens: sums.outputTokens,
    amount_nano_usd: sums.amountNano,
    amount_usd: formatUsd(sums.amountNano) ?? '0',
    list_amount_nano_usd: sums.listAmountNano,
    list_amount_usd: formatUsd(sums.listAmountNano) ?? '0',
    unpriced_entries: sums.unpricedEntries,
    savings_nano_usd: sums.savingsNano,
    savings_usd: formatUsd(sums.savingsNano) ?? '0',
    gpu_microseconds: sums.gpuMicroseconds,
  };
}
