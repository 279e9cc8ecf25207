import { formatUsd } from '../../core/money.ts';
import type { ReconciledRow, Reconciliation } from '../../core/reconcile/reconcile.ts';
import { CAUSES } from '../../core/reconcile/reconcile.ts';

/** `2026-01-31` of the Unix seconds at which a UTC day begins. */
export function dayText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

export interface ReconciliationHead {
  from: number;
  to: number;
  providers: readonly string[];
  source: 'usage_api' | 'bill';
}

/** As clients see it; money is exact beyond 2^53 (core/exact-json.ts). */
export function presentReconciliation(head: ReconciliationHead, found: Reconciliation) {
  const { ledgerNano, billedNano, explainedNano, unexplainedNano } = found;
  const causes = CAUSES.map((cause) => {
    const rows = found.rows.filter((row) => row.cause === cause).length;
    return { cause, rows, ...difference(found.causes[cause]) };
  });
  return {
    object: 'ledger.reconciliation' as const,
    from: dayText(head.from),
    to: dayText(head.to),
    providers: [...head.providers],
    source: head.source,
    ledger_nano_usd: ledgerNano,
    ledger_usd: usd(ledgerNano),
    billed_nano_usd: billedNano,
    billed_usd: usd(billedNano),
    ...difference(billedNano - ledgerNano),
    explained_nano_usd: explainedNano,
    explained_usd: usd(explainedNano),
    unexplained_nano_usd: unexplainedNano,
    unexplained_usd: usd(unexplainedNano),
    causes: causes.filter(({ rows }) => rows > 0),
    data: found.rows.map(presentRow),
  };
}

function presentRow(row: ReconciledRow) {
  const { ledger, billed } = row;
  return {
    day: dayText(row.day),
    model: row.model,
    cause: row.cause,
    ledger: ledger && {
      entries: ledger.entries,
      unpriced_entries: ledger.unpricedEntries,
      input_tokens: ledger.inputTokens,
      output_tokens: ledger.outputTokens,
      amount_nano_usd: ledger.amountNano,
      amount_usd: usd(ledger.amountNano),
    },
    billed: billed && {
      input_tokens: billed.inputTokens,
      output_tokens: billed.outputTokens,
      amount_nano_usd: billed.amountNano,
      amount_usd: formatUsd(billed.amountNano),
    },
    ...difference(row.difference),
  };
}

function difference(nano: bigint) {
  return { difference_nano_usd: nano, difference_usd: usd(nano) };
}

function usd(nano: bigint): string {
  return formatUsd(nano) ?? '0';
}
