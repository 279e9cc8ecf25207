import type { LedgerSums } from '../core/ledger-sums.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import type { Statement } from './client.ts';
import { sumEntries } from './ledger-rollup.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

/** Adds entries to the sums that their batches keep. */
export function advanceBatches(entries: readonly LedgerEntryRow[]): Statement[] {
  const groups = Map.groupBy(entries, (entry) => entry.batchId);
  return addToBatches(new Map([...groups].map(([batchId, group]) => [batchId, sumEntries(group)])));
}

/** Adds to the sums that batches keep; what is of no batch is left out. */
export function addToBatches(sums: ReadonlyMap<string | null, LedgerSums>): Statement[] {
  const rows = [...sums].flatMap(([batchId, { amountNano, listAmountNano, entries, unpricedEntries }]) =>
    batchId === null ? [] : [[batchId, String(amountNano), String(listAmountNano), entries, unpricedEntries]],
  );
  if (rows.length === 0) return [];
  return [
    {
      sql: `with ${BULK_ROWS}
            update batches set
              amount_nano = amount_nano + cast(v ->> 1 as integer),
              list_amount_nano = list_amount_nano + cast(v ->> 2 as integer),
              entries = entries + (v ->> 3),
              unpriced_entries = unpriced_entries + (v ->> 4)
            from r where batches.id = v ->> 0`,
      args: [bulkRows(rows)],
    },
  ];
}
