import type { LedgerEntryRow } from '../ports/store-ledger.ts';

/** An entry with the id of its set of tags. */
export interface TaggedEntry {
  entry: LedgerEntryRow;
  tagsId: string | null;
  /** -1 for an entry that takes another back: it counts against it in every sum. */
  sign?: 1 | -1;
}
