import { addTo, emptySums } from '../core/ledger-sums.ts';
import type { LedgerFilter, LedgerSummaryRow } from '../ports/store-ledger.ts';
import type { LedgerGroup } from '../protocol/ledger.ts';
import type { Database, Row } from './client.ts';
import { entriesWhere, rollupWhere } from './ledger-filter.ts';
import { ENTRIES, type Piece, piecesOf } from './ledger-source.ts';

type GroupValue = string | number | null;

/** See StoreLedger.summary. Without groups there is one row, of zeros when nothing matches. */
export async function summarize(
  database: Database,
  filter: LedgerFilter,
  groups: readonly LedgerGroup[],
  tagKey: string | null,
): Promise<LedgerSummaryRow[]> {
  const pieces = piecesOf(filter, groups);
  const rows = (await Promise.all(pieces.map((piece) => sumPiece(database, filter, groups, piece)))).flat();
  const tags = await readTags(database, rows, groups.indexOf('tag'));
  const tagValue = (tagsId: GroupValue) => (tagKey === null ? null : (tags.get(tagsId)?.get(tagKey) ?? null));
  const found = mergeEqual(rows.map((row) => toSummaryRow(row, groups, tagValue)));
  if (groups.length === 0 && found.length === 0) return [{ group: {}, ...emptySums() }];
  return found.sort((left, right) => compareGroups(left, right, groups));
}

async function sumPiece(
  database: Database,
  filter: LedgerFilter,
  groups: readonly LedgerGroup[],
  { source, from, to }: Piece,
): Promise<Row[]> {
  const within = { ...filter, from, to };
  const where = source === ENTRIES ? await entriesWhere(database, within) : rollupWhere(source, within);
  if (where === null) return [];
  const expressions = groups.map((group) => source.groups[group]);
  const sums = Object.entries(source.sums).map(([sum, sql]) => `cast(coalesce(${sql}, 0) as text) as ${sum}`);
  return database.read({
    sql: `select ${[...expressions.map((sql, index) => `${sql} as group_${index}`), ...sums]}
          from ${source.table} where ${where.sql}
          ${groups.length === 0 ? '' : `group by ${groups.map((_, index) => index + 1)}`}`,
    args: where.args,
  });
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
    savingsNano: BigInt(String(row.savingsNano)),
    gpuMicroseconds: Number(row.gpuMicroseconds),
  };
}

/** Rows whose groups are equal as one: pieces of time, or sets of tags that hold the same value of the tag asked for. */
function mergeEqual(rows: readonly LedgerSummaryRow[]): LedgerSummaryRow[] {
  const merged = new Map<string, LedgerSummaryRow>();
  for (const row of rows) {
    const key = JSON.stringify(row.group);
    const earlier = merged.get(key);
    if (earlier === undefined) merged.set(key, row);
    else addTo(earlier, row);
  }
  return [...merged.values()];
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
