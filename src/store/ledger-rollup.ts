import { emptySums, type LedgerSums, negative, totalOf } from '../core/ledger-sums.ts';
import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import { spend } from './budget-spend.ts';
import type { Statement } from './client.ts';
import type { TaggedEntry } from './tagged-entry.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

export const HOUR_SECONDS = 3_600;
export const DAY_SECONDS = 86_400;

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
 * Adds the sums of entries to their hours, days, batches and budgets. Runs right after the entries' insert, in the same write: it
 * reads their places.
 */
export function writeRollups(rows: readonly TaggedEntry[]): Statement[] {
  if (rows.length === 0) return [];
  const groups = finestGroups(rows);
  return [
    { sql: HOURLY.sql, args: [sumsByKey(groups, HOURLY), rows.length] },
    { sql: DAILY.sql, args: [sumsByKey(groups, DAILY)] },
    { sql: BATCHES.sql, args: [sumsByKey(groups, BATCHES)] },
    ...spend(rows),
  ];
}

interface Group {
  row: TaggedEntry;
  entries: LedgerEntryRow[];
}

/** The rows by everything that any rollup tells apart: most writes are of one batch and one hour. */
function finestGroups(rows: readonly TaggedEntry[]): { row: TaggedEntry; sums: LedgerSums }[] {
  const groups = new Map<string, Group>();
  let current: Group | undefined;
  for (const row of rows) {
    if (current === undefined || !isSameGroup(current.row, row)) {
      const key = `${row.sign ?? 1}\n${startOf(row.entry.createdAt, HOUR_SECONDS)}\n${row.entry.tenantId}\n${row.entry.batchId ?? ''}\n${row.tagsId ?? ''}\n${seriesOf(row.entry).join('\n')}`;
      current = groups.get(key) ?? { row, entries: [] };
      groups.set(key, current);
    }
    current.entries.push(row.entry);
  }
  return [...groups.values()].map(({ row, entries }) => ({
    row,
    sums: row.sign === -1 ? negative(sumEntries(entries)) : sumEntries(entries),
  }));
}

function isSameGroup(
  { entry: left, tagsId, sign = 1 }: TaggedEntry,
  { entry: right, tagsId: rightTagsId, sign: rightSign = 1 }: TaggedEntry,
): boolean {
  return (
    left.createdAt === right.createdAt &&
    left.target === right.target &&
    left.status === right.status &&
    left.batchId === right.batchId &&
    tagsId === rightTagsId &&
    sign === rightSign &&
    left.provider === right.provider &&
    left.model === right.model &&
    left.mode === right.mode &&
    left.keyId === right.keyId &&
    left.tenantId === right.tenantId
  );
}

function sumsByKey(groups: readonly { row: TaggedEntry; sums: LedgerSums }[], { keyOf }: Rollup): string {
  const byKey = Map.groupBy(groups, ({ row }) => JSON.stringify(keyOf(row)));
  const cells = [...byKey].map(([key, same]) => {
    const sums = totalOf(same.map((group) => group.sums));
    return [...(JSON.parse(key) as string[]), ...SUM_COLUMNS.map(([, sum]) => String(sums[sum]))];
  });
  return bulkRows(cells);
}

/** An entry without an amount adds nothing to the sums of money; it is counted as unpriced. */
export function sumEntries(entries: readonly LedgerEntryRow[]): LedgerSums {
  const sums = emptySums();
  let amount = 0;
  let list = 0;
  let savings = 0;
  for (const entry of entries) {
    sums.entries += 1;
    sums.requests += entry.final ? 1 : 0;
    sums.inputTokens += entry.inputTokens;
    sums.cachedInputTokens += entry.cachedInputTokens;
    sums.outputTokens += entry.outputTokens;
    sums.gpuMicroseconds += entry.usage?.gpu_microseconds ?? 0;
    if (entry.amountNano === null) sums.unpricedEntries += 1;
    const saved =
      entry.amountNano === null || entry.listAmountNano === null ? 0 : entry.listAmountNano - entry.amountNano;
    const nextAmount = amount + (entry.amountNano ?? 0);
    const nextList = list + (entry.listAmountNano ?? 0);
    const nextSavings = savings + saved;
    if (Number.isSafeInteger(nextAmount) && Number.isSafeInteger(nextList) && Number.isSafeInteger(nextSavings)) {
      amount = nextAmount;
      list = nextList;
      savings = nextSavings;
      continue;
    }
    // What numbers cannot hold any more goes over into the bigints.
    sums.amountNano += BigInt(amount) + BigInt(entry.amountNano ?? 0);
    sums.listAmountNano += BigInt(list) + BigInt(entry.listAmountNano ?? 0);
    sums.savingsNano += BigInt(savings) + BigInt(saved);
    amount = list = savings = 0;
  }
  sums.amountNano += BigInt(amount);
  sums.listAmountNano += BigInt(list);
  sums.savingsNano += BigInt(savings);
  return sums;
}
