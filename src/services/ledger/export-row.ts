import { usageColumn } from '../../core/export-columns.ts';
import { usageBuckets } from '../../core/usage.ts';
import type { LedgerEntryObject } from '../../protocol/ledger.ts';

/**
 * An entry as a row of a flat table (`entryColumns`): its members, and each bucket of its usage as a column of its own.
 * What a reversal takes back is below zero, as its amount is.
 */
export function toExportRow(entry: LedgerEntryObject): Record<string, unknown> {
  const row: Record<string, unknown> = { ...entry };
  const sign = entry.kind === 'reversal' ? -1 : 1;
  for (const bucket of usageBuckets) {
    const count = entry.usage?.[bucket];
    row[usageColumn(bucket)] = count === undefined ? null : sign * count;
  }
  return row;
}
