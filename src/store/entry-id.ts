/**
 * Ids of ledger entries. An entry of a batch's line is named after (batch, line, attempt), which is unique: as
 * unguessable as the batch's id, and without an index of its own. Any other entry has an id of its own, stored with
 * it, which its maker may have given it: best with its time in front (src/core/ids.ts), for the index's sake.
 */
const derivedId = /^entry_(.+)_(\d{1,15})_(\d{1,15})$/;

export function entryId(entry: { id: string | null; batchId: string | null; line: number | null; attempt: number }) {
  return entry.id ?? `entry_${entry.batchId}_${entry.line}_${entry.attempt}`;
}

/** What an id derived from a batch's line names; null for any other id. */
export function parseEntryId(id: string): { batchId: string; line: number; attempt: number } | null {
  const match = derivedId.exec(id);
  if (match === null) return null;
  return { batchId: match[1] ?? '', line: Number(match[2]), attempt: Number(match[3]) };
}

/** SQL for the id to store with a new entry of these columns' values. `given`: SQL for the id that it may have. */
export function storedIdSql(batchId: string, line: string, given = 'null'): string {
  const random = `'entry_' || lower(hex(randomblob(18)))`;
  return `iif(${batchId} is null or ${line} is null, coalesce(${given}, ${random}), null)`;
}
