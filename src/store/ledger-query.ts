import { alias, asc, desc, eq, getTableColumns, inArray, sql } from '#drizzle';
import type { LedgerFilter, StoredLedgerEntry, StoreLedger } from '../ports/store-ledger.ts';
import type { Database } from './client.ts';
import { entryId, parseEntryId } from './entry-id.ts';
import { entriesWhere, toSql, type Where } from './ledger-filter.ts';
import { ledgerEntries } from './schema/ledger-entries.ts';
import { rateSets } from './schema/rate-sets.ts';
import { tagSets } from './schema/tag-sets.ts';

const {
  seq,
  ratesId,
  tagsId,
  reverses,
  corrects,
  adjustsShard: _adjustsShard,
  ...columns
} = getTableColumns(ledgerEntries);
const adjusted = alias(ledgerEntries, 'adjusted');

/** What the id of an adjusted entry is made of; drizzle takes the row for absent when the first of them is null. */
const adjustedColumns = { attempt: adjusted.attempt, id: adjusted.id, batchId: adjusted.batchId, line: adjusted.line };

/** See StoreLedger.entries. In order of arrival. */
export async function listEntries(
  database: Database,
  filter: LedgerFilter,
  { after, order, limit }: Parameters<StoreLedger['entries']>[1],
): Promise<StoredLedgerEntry[] | null> {
  const ascending = order === 'asc';
  const cursor = after === undefined ? undefined : await placeOf(database, filter.tenantId, after);
  if (cursor === null) return null;
  const where = await entriesWhere(database, filter);
  if (where === null) return [];
  const beyond: Where[] = cursor === undefined ? [] : [{ sql: ascending ? 'seq > ?' : 'seq < ?', args: [cursor] }];
  // The page is found in ledger_entries alone, so that plain column names in the filter mean its own.
  const page = [where, ...beyond].map(toSql);
  const places = database.orm
    .select({ seq })
    .from(ledgerEntries)
    .where(sql.join(page, sql` and `))
    .orderBy(sql.raw(ascending ? 'seq' : 'seq desc'))
    .limit(limit);
  const rows = await database.orm
    .select({ ...columns, rates: rateSets.rates, tags: tagSets.tags, reverses, of: adjustedColumns })
    .from(ledgerEntries)
    .leftJoin(rateSets, eq(rateSets.id, ratesId))
    .leftJoin(tagSets, eq(tagSets.id, tagsId))
    .leftJoin(adjusted, sql`${adjusted.seq} = coalesce(${reverses}, ${corrects})`)
    .where(inArray(seq, places))
    .orderBy(ascending ? asc(seq) : desc(seq));
  return rows.map(({ of, note, reverses: reversed, ...row }) => {
    const entry = { ...row, id: entryId(row) };
    if (of === null) return entry;
    const kind = reversed === null ? 'correction' : 'reversal';
    return { ...entry, attempt: of.attempt, adjustment: { kind, adjusts: entryId(of), note: note ?? '' } };
  });
}

/** See StoreLedger.latestOutputTokens: whole entries, joined with all that they say, would cost a hundred times as much. */
export async function latestOutputTokens(database: Database, filter: LedgerFilter, limit: number): Promise<number[]> {
  const where = await entriesWhere(database, filter);
  if (where === null) return [];
  const rows = await database.read({
    sql: `select output_tokens as tokens from ledger_entries where ${where.sql} order by seq desc limit ?`,
    args: [...where.args, limit],
  });
  return rows.map(({ tokens }) => Number(tokens));
}

/** Place of the entry with this id in the order of arrival; null when the tenant has none. */
async function placeOf(database: Database, tenantId: string | null, id: string): Promise<number | null> {
  const named = parseEntryId(id);
  const where =
    named === null
      ? { sql: 'id = ?', args: [id] }
      : { sql: 'batch_id = ? and line = ? and attempt = ?', args: [named.batchId, named.line, named.attempt] };
  const [row] = await database.read({
    sql: `select seq from ledger_entries where ${where.sql} and (?${where.args.length + 1} is null or +tenant_id = ?${where.args.length + 1})`,
    args: [...where.args, tenantId],
  });
  return row === undefined ? null : Number(row.seq);
}
