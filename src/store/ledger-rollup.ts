import { emptySums, type LedgerSums, totalOf } from '../core/ledger-sums.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import type { Statement } from './client.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

export const HOUR_SECONDS = 3_600;
export const DAY_SECONDS = 86_400;

/** An entry with the id of its set of tags. */
export interface TaggedEntry {
  entry: LedgerEntryRow;
  tagsId: string | null;
}

/** The sums that the rollups keep, by column. */
export const SUM_COLUMNS: readonly (readonly [name: string, sum: keyof LedgerSums])[] = [
  ['entries', 'entries'],
  ['requests', 'requests'],
  ['input_tokens', 'inputTokens'],
  ['cached_input_tokens', 'cachedInputTokens'],
  ['output_tokens', 'outputTokens'],
  ['amount_nano', 'amountNano'],
  ['list_amount_nano', 'listAmountNano'],
  ['unpriced_entries', 'unpricedEntries'],
  ['savings_nano', 'savingsNano'],
  ['gpu_microseconds', 'gpuMicroseconds'],
];

const SUM_NAMES = SUM_COLUMNS.map(([name]) => name);

/** What every rollup is kept by, beside its time. */
const SERIES = ['key_id', 'provider', 'target', 'model', 'mode', 'status'];

interface Rollup {
  keys: readonly string[];
  keyOf(row: TaggedEntry): (string | number)[];
  sql: string;
}

const HOURLY = rollup('ledger_hourly', ['tenant_id', 'hour', ...SERIES], true, ({ entry }) => [
  entry.tenantId,
  startOf(entry.createdAt, HOUR_SECONDS),
  ...seriesOf(entry),
]);

const DAILY = rollup('ledger_daily', ['tenant_id', 'day', ...SERIES], false, ({ entry }) => [
  entry.tenantId,
  startOf(entry.createdAt, DAY_SECONDS),
  ...seriesOf(entry),
]);

const BATCHES = rollup(
  'ledger_batches',
  ['batch_id', 'tenant_id', 'tags_id', 'hour', ...SERIES],
  false,
  ({ entry, tagsId }) => [
    entry.batchId ?? '',
    entry.tenantId,
    tagsId ?? '',
    startOf(entry.createdAt, HOUR_SECONDS),
    ...seriesOf(entry),
  ],
);

function startOf(second: number, unit: number): number {
  return second - (second % unit);
}

function seriesOf({ keyId, provider, target, model, mode, status }: LedgerEntryRow): string[] {
  return [keyId ?? '', provider, target, model, mode, status];
}

/** `placed`: the rollup also bounds the places of its entries in the order of arrival. */
function rollup(table: string, keys: readonly string[], placed: boolean, keyOf: Rollup['keyOf']): Rollup {
  const values = [
    ...keys.map((_, index) => `v ->> ${index}`),
    ...SUM_NAMES.map((_, index) => `cast(v ->> ${keys.length + index} as integer)`),
  ];
  const last = placed ? ', last as materialized (select max(seq) as seq from ledger_entries)' : '';
  const bounds = placed
    ? ', first_seq = min(first_seq, excluded.first_seq), last_seq = max(last_seq, excluded.last_seq)'
    : '';
  const sql = `
    insert into ${table} (${[...keys, ...SUM_NAMES]}${placed ? ', first_seq, last_seq' : ''})
    with ${BULK_ROWS}${last}
    select ${values}${placed ? ', last.seq - ? + 1, last.seq' : ''} from r${placed ? ' cross join last' : ''} where true
    on conflict (${keys}) do update set ${SUM_NAMES.map((name) => `${name} = ${name} + excluded.${name}`)}${bounds}`;
  return { keys, keyOf, sql };
}

/**
 * Adds the sums of entries to their hours, days and batches. Runs right after the entries' insert, in the same write: it
 * reads their places.
 */
export function writeRollups(rows: readonly TaggedEntry[]): Statement[] {
  if (rows.length === 0) return [];
  const groups = finestGroups(rows);
  return [
    { sql: HOURLY.sql, args: [sumsByKey(groups, HOURLY), rows.length] },
    { sql: DAILY.sql, args: [sumsByKey(groups, DAILY)] },
    { sql: BATCHES.sql, args: [sumsByKey(groups, BATCHES)] },
  ];
}

interface Group {
  row: TaggedEntry;
  sums: LedgerSums;
}

/** The rows by everything that any rollup tells apart: most writes are of one batch and one hour. */
function finestGroups(rows: readonly TaggedEntry[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const { entry } = row;
    const hour = startOf(entry.createdAt, HOUR_SECONDS);
    const key = `${hour}\n${entry.tenantId}\n${entry.batchId ?? ''}\n${row.tagsId ?? ''}\n${seriesOf(entry).join('\n')}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { row, sums: addEntry(emptySums(), entry) });
    else addEntry(group.sums, entry);
  }
  return [...groups.values()];
}

function sumsByKey(groups: readonly Group[], { keyOf }: Rollup): string {
  const byKey = Map.groupBy(groups, ({ row }) => JSON.stringify(keyOf(row)));
  const cells = [...byKey].map(([key, same]) => {
    const sums = totalOf(same.map((group) => group.sums));
    return [...(JSON.parse(key) as string[]), ...SUM_COLUMNS.map(([, sum]) => String(sums[sum]))];
  });
  return bulkRows(cells);
}

export function sumEntries(entries: readonly LedgerEntryRow[]): LedgerSums {
  const sums = emptySums();
  for (const entry of entries) addEntry(sums, entry);
  return sums;
}

/** An entry without an amount adds nothing to the sums of money; it is counted as unpriced. */
function addEntry(sums: LedgerSums, entry: LedgerEntryRow): LedgerSums {
  sums.entries += 1;
  sums.requests += entry.final ? 1 : 0;
  sums.inputTokens += entry.inputTokens;
  sums.cachedInputTokens += entry.cachedInputTokens;
  sums.outputTokens += entry.outputTokens;
  sums.amountNano += BigInt(entry.amountNano ?? 0);
  sums.listAmountNano += BigInt(entry.listAmountNano ?? 0);
  sums.unpricedEntries += entry.amountNano === null ? 1 : 0;
  if (entry.amountNano !== null && entry.listAmountNano !== null) {
    sums.savingsNano += BigInt(entry.listAmountNano) - BigInt(entry.amountNano);
  }
  sums.gpuMicroseconds += entry.usage?.gpu_microseconds ?? 0;
  return sums;
}
