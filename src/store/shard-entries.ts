import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import { type Database, isConstraintFailure } from './client.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

/**
 * Runs `write` with the entries to add: those whose line has no entry of their shard yet. Of those left out, it is
 * given the ones that decide a line which the entry that is there has decided. Runs `write` anew when another writer
 * added such an entry meanwhile.
 */
export async function withoutLedgered<T>(
  database: Database,
  entries: readonly LedgerEntryRow[],
  write: (fresh: readonly LedgerEntryRow[], decidedBefore: readonly LedgerEntryRow[]) => Promise<T>,
): Promise<T> {
  if (entries.every((entry) => shardLine(entry) === null)) return write(entries, []);
  const run = async (): Promise<T> => {
    const { fresh, decidedBefore } = await split(database, entries);
    return write(fresh, decidedBefore);
  };
  try {
    return await run();
  } catch (error) {
    if (!isConstraintFailure(error, 'ledger_entries.shard_id')) throw error;
    return run();
  }
}

/** Of two entries given for the same line of a shard, the first is fresh. */
async function split(database: Database, entries: readonly LedgerEntryRow[]) {
  const lines = entries.map(shardLine).filter((place) => place !== null);
  const rows = await database.read({
    sql: `with ${BULK_ROWS}
          select e.shard_id, e.line, e.final from r cross join ledger_entries e where e.shard_id = v ->> 0 and e.line = v ->> 1`,
    args: [bulkRows(lines)],
  });
  const decided = new Map(rows.map((row) => [JSON.stringify([row.shard_id, row.line]), Number(row.final) === 1]));
  const fresh: LedgerEntryRow[] = [];
  const decidedBefore: LedgerEntryRow[] = [];
  for (const entry of entries) {
    const place = shardLine(entry);
    const key = JSON.stringify(place);
    const before = place === null ? undefined : decided.get(key);
    if (before === undefined) {
      fresh.push(entry);
      decided.set(key, entry.final);
    } else if (before && entry.final) decidedBefore.push(entry);
  }
  return { fresh, decidedBefore };
}

function shardLine({ shardId, line }: LedgerEntryRow): [shardId: string, line: number] | null {
  return shardId === undefined || shardId === null || line === null ? null : [shardId, line];
}
