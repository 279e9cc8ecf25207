import { sql } from '#drizzle';
import type { AdjustableEntry, Resolution } from '../ports/store-ledger.ts';
import type { Database, Statement } from './client.ts';
import { identify } from './content-id.ts';
import {
  ATTEMPT,
  insertRates,
  NEW_ID,
  OF_SHARD,
  REVERSE,
  STANDS,
  selectAdjustable,
  writeReversals,
} from './ledger-adjust.ts';
import type { TaggedEntry } from './tagged-entry.ts';
import { BULK_ROWS, bulkRows, type Cell } from './text.ts';

/** Whose entry it is: as the entry says that is stated anew. */
const IDENTITY =
  'tenant_id key_id batch_id custom_id line mode provider target model tags_id route latency_ms final'.split(' ');

/** What is known now, by column. */
const TOLD: readonly (readonly [name: string, value: (entry: Told) => Cell])[] = [
  ['served_model', ({ as }) => as.servedModel],
  ['status', ({ as }) => as.status],
  ['status_code', ({ as }) => as.statusCode],
  ['error_code', ({ as }) => as.errorCode],
  ['usage', ({ as }) => as.usage],
  ['raw_usage', ({ as }) => as.rawUsage],
  ['estimated', ({ as }) => (as.estimated ? 1 : 0)],
  ['input_tokens', ({ as }) => as.inputTokens],
  ['cached_input_tokens', ({ as }) => as.cachedInputTokens],
  ['output_tokens', ({ as }) => as.outputTokens],
  ['rates_id', ({ ratesId }) => ratesId],
  ['price_version', ({ as }) => as.priceVersion],
  ['amount_nano', ({ as }) => as.amountNano],
  ['list_amount_nano', ({ as }) => as.listAmountNano],
  ['unpriced_reason', ({ as }) => as.unpricedReason],
  ['ran_at', ({ as }) => as.ranAt ?? null],
];

interface Told {
  of: AdjustableEntry;
  as: NonNullable<Resolution['as']>;
  ratesId: string | null;
}

const RESTATE = `
  insert into ledger_entries (id, attempt, created_at, ${IDENTITY}, ${TOLD.map(([name]) => name)}, adjusts_shard, corrects, note)
  with ${BULK_ROWS}
  select ${NEW_ID}, ${ATTEMPT}, ?, ${IDENTITY.map((name) => `e.${name}`)}, ${TOLD.map((_, index) => `v ->> ${index + 1}`)}, ${OF_SHARD}, e.seq, ?
  from r cross join ledger_entries e where e.seq = v ->> 0`;

/** See StoreLedger.doubts. */
export function listDoubts(database: Database, shardId: string): Promise<AdjustableEntry[]> {
  return selectAdjustable(database, sql`shard_id = ${shardId} and status = 'unknown' and ${STANDS}`);
}

/** See StoreLedger.resolve. Of a line there is one entry among them at most. */
export async function resolveEntries(
  database: Database,
  resolutions: readonly Resolution[],
  { now, note }: { now: number; note: string },
): Promise<boolean> {
  if (resolutions.length === 0) return true;
  const known = resolutions.flatMap(({ entry, as }) => (as === null ? [] : [{ of: entry, as }]));
  const rates = await identify(known.map(({ as }) => (as.rates === null ? null : { scope: '', content: as.rates })));
  const told = known.map((each, index): Told => ({ ...each, ratesId: rates[index]?.id ?? null }));
  const rows = told.map((each) => [each.of.place, ...TOLD.map(([, value]) => value(each))]);
  const written = resolutions.flatMap(({ entry, as }): TaggedEntry[] => {
    const { tagsId } = entry;
    const reversed: TaggedEntry = { entry: { ...entry, createdAt: now }, tagsId, sign: -1 };
    return as === null ? [reversed] : [reversed, { entry: { ...as, final: entry.final, createdAt: now }, tagsId }];
  });
  const statements: Statement[] = [
    ...insertRates(rates),
    { sql: REVERSE, args: [bulkRows(resolutions.map(({ entry }) => [entry.place])), now, note] },
    ...(rows.length === 0 ? [] : [{ sql: RESTATE, args: [bulkRows(rows), now, note] }]),
  ];
  return writeReversals(database, statements, written);
}
