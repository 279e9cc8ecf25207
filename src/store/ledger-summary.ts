import type { Row } from '@libsql/client';
import type { LedgerFilter, LedgerSummaryRow, LedgerSums } from '../ports/store-ledger.ts';
import type { LedgerGroup } from '../protocol/ledger.ts';
import type { Database } from './client.ts';
import { entriesWhere, fitsHourly, hourlyWhere } from './ledger-filter.ts';
import { emptySums, HOUR_SECONDS, SUM_COLUMNS } from './ledger-rollup.ts';

const DAY_SECONDS = 86_400;

type GroupValue = string | number | null;

/** A table with the ledger's figures: how it says each group, and how it sums. */
interface Source {
  table: string;
  groups: Partial<Record<LedgerGroup, string>>;
  sums: Record<keyof LedgerSums, string>;
}

const NAMED_GROUPS = { provider: 'provider', model: 'model', target: 'target', status: 'status' } as const;

const HOURLY: Source = {
  table: 'ledger_hourly',
  groups: { ...NAMED_GROUPS, key: `nullif(key_id, '')`, hour: 'hour', day: `hour - hour % ${DAY_SECONDS}` },
  sums: Object.fromEntries(SUM_COLUMNS.map(([name, sum]) => [sum, `sum(${name})`])) as Source['sums'],
};

const ENTRIES: Source = {
  table: 'ledger_entries',
  groups: {
    ...NAMED_GROUPS,
    key: 'key_id',
    batch: 'batch_id',
    // The whole set: which value of it counts is decided on reading.
    tag: 'tags_id',
    hour: `created_at - created_at % ${HOUR_SECONDS}`,
    day: `created_at - created_at % ${DAY_SECONDS}`,
  },
  sums: {
    entries: 'count(*)',
    requests: 'sum(final)',
    inputTokens: 'sum(input_tokens)',
    cachedInputTokens: 'sum(cached_input_tokens)',
    outputTokens: 'sum(output_tokens)',
    amountNano: 'sum(amount_nano)',
    listAmountNano: 'sum(list_amount_nano)',
    unpricedEntries: 'count(*) - count(amount_nano)',
  },
};

/** See StoreLedger.summary. Without groups there is one row, of zeros when nothing matches. */
export async function summarize(
  database: Database,
  filter: LedgerFilter,
  groups: readonly LedgerGroup[],
  tagKey: string | null,
): Promise<LedgerSummaryRow[]> {
  const source = fitsHourly(filter) && groups.every((group) => group in HOURLY.groups) ? HOURLY : ENTRIES;
  const where = source === HOURLY ? hourlyWhere(filter) : await entriesWhere(database, filter);
  if (where === null) return groups.length === 0 ? [{ group: {}, ...emptySums() }] : [];
  const expressions = groups.map((group) => source.groups[group]);
  const sums = Object.entries(source.sums).map(([sum, sql]) => `cast(coalesce(${sql}, 0) as text) as ${sum}`);
  const rows = await database.read({
    sql: `select ${[...expressions.map((sql, index) => `${sql} as group_${index}`), ...sums]}
          from ${source.table} where ${where.sql}
          ${groups.length === 0 ? '' : `group by ${groups.map((_, index) => index + 1)}`}`,
    args: where.args,
  });
  const tags = await readTags(database, rows, groups.indexOf('tag'));
  const tagValue = (tagsId: GroupValue) => (tagKey === null ? null : (tags.get(tagsId)?.get(tagKey) ?? null));
  return mergeEqual(rows.map((row) => toSummaryRow(row, groups, tagValue))).sort((left, right) =>
    compareGroups(left, right, groups),
  );
}

/** The sets of tags that the rows' group of this index names, by id; none for index -1. */
async function readTags(
  database: Database,
  rows: readonly Row[],
  index: number,
): Promise<Map<GroupValue, Map<string, string>>> {
  if (index === -1) return new Map();
  const ids = [...new Set(rows.map((row) => row[`group_${index}`]))];
  const sets = await database.read({
    sql: 'select id, tags from tag_sets where id in (select value from json_each(?))',
    args: [JSON.stringify(ids)],
  });
  return new Map(
    sets.map((set) => {
      const pairs = JSON.parse(String(set.tags)) as Record<string, string>;
      return [String(set.id), new Map(Object.entries(pairs))];
    }),
  );
}

function toSummaryRow(
  row: Row,
  groups: readonly LedgerGroup[],
  tagValue: (tagsId: GroupValue) => string | null,
): LedgerSummaryRow {
  const group: LedgerSummaryRow['group'] = {};
  for (const [index, name] of groups.entries()) {
    const value = row[`group_${index}`] as GroupValue;
    group[name] = name === 'tag' ? tagValue(value) : value;
  }
  return {
    group,
    entries: Number(row.entries),
    requests: Number(row.requests),
    inputTokens: Number(row.inputTokens),
    cachedInputTokens: Number(row.cachedInputTokens),
    outputTokens: Number(row.outputTokens),
    amountNano: BigInt(String(row.amountNano)),
    listAmountNano: BigInt(String(row.listAmountNano)),
    unpricedEntries: Number(row.unpricedEntries),
  };
}

/** Rows whose groups are equal as one: different sets of tags may hold the same value of the tag asked for. */
function mergeEqual(rows: readonly LedgerSummaryRow[]): LedgerSummaryRow[] {
  const merged = new Map<string, LedgerSummaryRow>();
  for (const row of rows) {
    const key = JSON.stringify(row.group);
    const earlier = merged.get(key);
    merged.set(key, earlier === undefined ? row : { group: row.group, ...addSums(earlier, row) });
  }
  return [...merged.values()];
}

function addSums(left: LedgerSums, right: LedgerSums): LedgerSums {
  return {
    entries: left.entries + right.entries,
    requests: left.requests + right.requests,
    inputTokens: left.inputTokens + right.inputTokens,
    cachedInputTokens: left.cachedInputTokens + right.cachedInputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    amountNano: left.amountNano + right.amountNano,
    listAmountNano: left.listAmountNano + right.listAmountNano,
    unpricedEntries: left.unpricedEntries + right.unpricedEntries,
  };
}

/** By each group in turn, ascending; null first. */
function compareGroups(left: LedgerSummaryRow, right: LedgerSummaryRow, groups: readonly LedgerGroup[]): number {
  for (const name of groups) {
    const order = compareValues(left.group[name] ?? null, right.group[name] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(left: GroupValue, right: GroupValue): number {
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  return left < right ? -1 : 1;
}
