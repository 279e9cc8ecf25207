import { eq, getTableColumns, type SQL, sql } from '#drizzle';
import { type LedgerSums, negative, totalOf } from '../core/ledger-sums.ts';
import type { AdjustableEntry, Correction, LedgerFilter, StoreLedger } from '../ports/store-ledger.ts';
import { type Database, isConstraintFailure, type Statement } from './client.ts';
import { type IdentifiedContent, identify } from './content-id.ts';
import { addToBatches } from './ledger-batch-sums.ts';
import { entriesWhere, toSql } from './ledger-filter.ts';
import { sumEntries, writeRollups } from './ledger-rollup.ts';
import { ledgerEntries } from './schema/ledger-entries.ts';
import { rateSets } from './schema/rate-sets.ts';
import type { TaggedEntry } from './tagged-entry.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

const {
  seq,
  id: _id,
  ratesId,
  tagsId,
  reverses: _reverses,
  corrects: _corrects,
  note: _note,
  adjustsShard: _adjustsShard,
  ...columns
} = getTableColumns(ledgerEntries);

/** Entries as they stand: no reversals, and none that a reversal takes back. */
export const STANDS = sql`reverses is null and not exists (
  select 1 from ledger_entries later where later.reverses is not null and later.reverses = ledger_entries.seq)`;

/** See StoreLedger.adjustable. */
export async function listAdjustable(
  database: Database,
  filter: LedgerFilter,
  { after, limit, unpricedOnly }: Parameters<StoreLedger['adjustable']>[1],
): Promise<AdjustableEntry[]> {
  const where = await entriesWhere(database, filter);
  if (where === null) return [];
  const terms = [toSql(where), sql`seq > ${after}`, STANDS, ...(unpricedOnly ? [sql`amount_nano is null`] : [])];
  return selectAdjustable(database, sql`${sql.join(terms, sql` and `)} order by seq limit ${limit}`);
}

/** In order of arrival. `which`: what comes after `where` in a query of ledger_entries alone. */
export async function selectAdjustable(database: Database, which: SQL): Promise<AdjustableEntry[]> {
  const rows = await database.orm
    .select({ ...columns, place: seq, tagsId, rates: rateSets.rates })
    .from(ledgerEntries)
    .leftJoin(rateSets, eq(rateSets.id, ratesId))
    .where(sql`${seq} in (select seq from ledger_entries where ${which})`)
    .orderBy(seq);
  return rows.map((row) => ({ ...row, tags: null }));
}

/** Columns that a reversal and a correction have in common with the entry they are about. */
const SAME = [
  'tenant_id',
  'key_id',
  'batch_id',
  'custom_id',
  'line',
  'mode',
  'provider',
  'target',
  'model',
  'served_model',
  'status',
  'status_code',
  'error_code',
  'usage',
  'raw_usage',
  'estimated',
  'tags_id',
  'latency_ms',
  'route',
];

/** Entries of a line are told apart by their attempt: of adjustments it is below zero. */
export const ATTEMPT = `iif(e.batch_id is null or e.line is null, e.attempt, (
  select min(0, min(same.attempt)) - 1 from ledger_entries same where same.batch_id = e.batch_id and same.line = e.line))`;
export const NEW_ID = `'entry_' || lower(hex(randomblob(18)))`;
const OF = SAME.map((name) => `e.${name}`);
/** Whoever adjusts what a provider batch brought, once or again, changes what that batch cost. */
export const OF_SHARD = 'coalesce(e.shard_id, e.adjusts_shard)';
/** It ran when it ran, however often it is stated anew. */
const RAN_AT = 'coalesce(e.ran_at, e.created_at)';

export const REVERSE = `
  insert into ledger_entries (id, attempt, created_at, ${SAME}, final, input_tokens, cached_input_tokens, output_tokens, rates_id,
    price_version, amount_nano, list_amount_nano, unpriced_reason, adjusts_shard, ran_at, reverses, note)
  with ${BULK_ROWS}
  select ${NEW_ID}, ${ATTEMPT}, ?, ${OF}, -e.final, -e.input_tokens, -e.cached_input_tokens, -e.output_tokens, e.rates_id,
    e.price_version, -e.amount_nano, -e.list_amount_nano, e.unpriced_reason, ${OF_SHARD}, ${RAN_AT}, e.seq, ?
  from r cross join ledger_entries e where e.seq = v ->> 0`;

const CORRECT = `
  insert into ledger_entries (id, attempt, created_at, ${SAME}, final, input_tokens, cached_input_tokens, output_tokens, rates_id,
    price_version, amount_nano, list_amount_nano, unpriced_reason, adjusts_shard, ran_at, corrects, note)
  with ${BULK_ROWS}
  select ${NEW_ID}, ${ATTEMPT}, ?, ${OF}, e.final, e.input_tokens, e.cached_input_tokens, e.output_tokens, v ->> 1, v ->> 2,
    v ->> 3, v ->> 4, null, ${OF_SHARD}, ${RAN_AT}, e.seq, ?
  from r cross join ledger_entries e where e.seq = v ->> 0`;

/** See StoreLedger.adjust. */
export async function adjustEntries(
  database: Database,
  corrections: readonly Correction[],
  { now, note }: { now: number; note: string },
): Promise<boolean> {
  if (corrections.length === 0) return true;
  const rates = await identify(corrections.map((each) => ({ scope: '', content: each.rates })));
  const statements: Statement[] = insertRates(rates);
  // A statement does not see the rows it adds, and two adjustments of one line need different numbers.
  for (const wave of oneLineEach(corrections.map((each, index) => ({ each, ratesId: rates[index]?.id ?? '' })))) {
    const rows = wave.map(({ each: { entry, priceVersion, amountNano, listAmountNano }, ratesId: rate }) => [
      entry.place,
      rate,
      priceVersion,
      amountNano,
      listAmountNano,
    ]);
    statements.push(
      { sql: REVERSE, args: [bulkRows(rows), now, note] },
      { sql: CORRECT, args: [bulkRows(rows), now, note] },
    );
  }
  const written = corrections.flatMap((each): TaggedEntry[] => {
    const reversed = { ...each.entry, createdAt: now };
    const { amountNano, listAmountNano } = each;
    const tags = { tagsId: each.entry.tagsId };
    return [
      { entry: reversed, ...tags, sign: -1 },
      { entry: { ...reversed, amountNano, listAmountNano }, ...tags },
    ];
  });
  return writeReversals(database, statements, written);
}

/** Writes entries and what they change of all sums; false, with nothing written, when one was reversed meanwhile. */
export async function writeReversals(
  database: Database,
  entries: readonly Statement[],
  written: readonly TaggedEntry[],
): Promise<boolean> {
  try {
    await database.write([...entries, ...writeRollups(written), ...addToBatches(batchSums(written))]);
    return true;
  } catch (error) {
    if (isConstraintFailure(error, 'ledger_entries.reverses')) return false;
    throw error;
  }
}

/** Rates that entries to be written refer to. */
export function insertRates(rates: readonly (IdentifiedContent | null)[]): Statement[] {
  const sets = new Map(rates.flatMap((set) => (set === null ? [] : [[set.id, [set.id, set.json]] as const])));
  if (sets.size === 0) return [];
  return [
    {
      sql: `insert into rate_sets (id, rates) with ${BULK_ROWS} select v ->> 0, v ->> 1 from r where true on conflict (id) do nothing`,
      args: [bulkRows([...sets.values()])],
    },
  ];
}

/** What entries add to the sums that their batches keep. */
function batchSums(written: readonly TaggedEntry[]) {
  const groups = Map.groupBy(written, ({ entry }) => entry.batchId);
  return new Map([...groups].map(([id, rows]) => [id, totalOf(rows.map(sumsOf))]));
}

function sumsOf({ entry, sign }: TaggedEntry): LedgerSums {
  return sign === -1 ? negative(sumEntries([entry])) : sumEntries([entry]);
}

/** In as many waves as a line has corrections at most. */
function oneLineEach<T extends { each: Correction }>(rows: readonly T[]): T[][] {
  const waves: T[][] = [];
  const counts = new Map<string, number>();
  for (const row of rows) {
    const { batchId, line } = row.each.entry;
    const key = batchId === null || line === null ? null : `${batchId}/${line}`;
    const wave = key === null ? 0 : (counts.get(key) ?? 0);
    if (key !== null) counts.set(key, wave + 1);
    const list = waves[wave];
    if (list === undefined) waves[wave] = [row];
    else list.push(row);
  }
  return waves;
}
