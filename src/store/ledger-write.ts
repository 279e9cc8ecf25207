import type { LedgerEntryRow } from '../ports/store-ledger.ts';
import { type Argument, type Database, isConstraintFailure, type Statement } from './client.ts';
import { identify } from './content-id.ts';
import { storedIdSql } from './entry-id.ts';
import { writeRollups } from './ledger-rollup.ts';
import type { TaggedEntry } from './tagged-entry.ts';
import { BULK_ROWS, bulkRows, type Cell } from './text.ts';

interface Identified extends TaggedEntry {
  ratesId: string | null;
}

type ValueOf = (row: Identified) => Cell;

/** Column by column: what an entry stores there. */
const COLUMNS: readonly (readonly [name: string, value: ValueOf])[] = [
  ['batch_id', ({ entry }) => entry.batchId],
  ['line', ({ entry }) => entry.line],
  ['attempt', ({ entry }) => entry.attempt],
  ['created_at', ({ entry }) => entry.createdAt],
  ['tenant_id', ({ entry }) => entry.tenantId],
  ['key_id', ({ entry }) => entry.keyId],
  ['custom_id', ({ entry }) => (entry.customId === null ? null : JSON.stringify(entry.customId))],
  ['mode', ({ entry }) => entry.mode],
  ['provider', ({ entry }) => entry.provider],
  ['target', ({ entry }) => entry.target],
  ['model', ({ entry }) => entry.model],
  ['served_model', ({ entry }) => entry.servedModel],
  ['status', ({ entry }) => entry.status],
  ['final', ({ entry }) => (entry.final ? 1 : 0)],
  ['status_code', ({ entry }) => entry.statusCode],
  ['error_code', ({ entry }) => entry.errorCode],
  ['usage', ({ entry }) => entry.usage],
  ['raw_usage', ({ entry }) => entry.rawUsage],
  ['input_tokens', ({ entry }) => entry.inputTokens],
  ['cached_input_tokens', ({ entry }) => entry.cachedInputTokens],
  ['output_tokens', ({ entry }) => entry.outputTokens],
  ['rates_id', ({ ratesId }) => ratesId],
  ['price_version', ({ entry }) => entry.priceVersion],
  ['amount_nano', ({ entry }) => entry.amountNano],
  ['list_amount_nano', ({ entry }) => entry.listAmountNano],
  ['estimated', ({ entry }) => (entry.estimated ? 1 : 0)],
  ['unpriced_reason', ({ entry }) => entry.unpricedReason],
  ['tags_id', ({ tagsId }) => tagsId],
  ['latency_ms', ({ entry }) => entry.latencyMs],
  ['shard_id', ({ entry }) => entry.shardId ?? null],
  ['route', ({ entry }) => entry.route ?? null],
  ['ran_at', ({ entry }) => entry.ranAt ?? null],
];

const NAMES = COLUMNS.map(([name]) => name);

/** The columns in which the entries of one write mostly differ. Only these are worth their place in every row's JSON. */
const VARYING =
  'line custom_id usage raw_usage input_tokens cached_input_tokens output_tokens amount_nano list_amount_nano latency_ms'.split(
    ' ',
  );

/** More sets of equal columns than this in one write are not worth a statement each. */
const ALIKE_MAX = 8;

interface Insert {
  varying: readonly ValueOf[];
  constant: readonly ValueOf[];
  sql: string;
}

/** With the id that an entry may be given by its maker, which entries of lines never are. */
const WITH_ID: typeof COLUMNS = [['id', ({ entry }) => entry.id ?? null], ...COLUMNS];

const RENUMBERED = toInsert(NAMES, true);
/** The insert of rows that are mostly alike, and the one for rows that are not. */
const OF_LINES = { alike: toInsert(VARYING, false), any: toInsert(NAMES, false) };
const OF_CALLS = {
  alike: toInsert(['id', ...VARYING], false, WITH_ID),
  any: toInsert(['id', ...NAMES], false, WITH_ID),
};

/** Inserts rows of one JSON parameter, with `varying` from each row and the other columns as parameters behind it. */
function toInsert(varyingNames: readonly string[], renumber: boolean, columns = COLUMNS): Insert {
  const varying = columns.filter(([name]) => varyingNames.includes(name));
  const constant = columns.filter(([name]) => !varyingNames.includes(name));
  const column = (name: string): string => {
    const index = varying.findIndex(([each]) => each === name);
    return index === -1 ? `?${2 + constant.findIndex(([each]) => each === name)}` : `v ->> ${index}`;
  };
  const values = NAMES.map((name) => (renumber && name === 'attempt' ? freeAttempt(column) : column(name)));
  const id = storedIdSql(column('batch_id'), column('line'), varyingNames.includes('id') ? column('id') : 'null');
  return {
    varying: varying.map(([, value]) => value),
    constant: constant.map(([, value]) => value),
    sql: `insert into ledger_entries (id, ${NAMES}) with ${BULK_ROWS} select ${id}, ${values} from r`,
  };
}

function freeAttempt(column: (name: string) => string): string {
  const sameLine = `from ledger_entries taken where taken.batch_id = ${column('batch_id')} and taken.line = ${column('line')}`;
  return `iif(exists (select 1 ${sameLine} and taken.attempt = ${column('attempt')}),
    (select max(taken.attempt) + 1 ${sameLine}), ${column('attempt')})`;
}

/**
 * Everything that adds entries: their tags and rates, the entries, the rollups. Of entries of lines, one whose (batch,
 * line, attempt) is taken makes the write fail (isAttemptTaken), or with `renumber` gets the next free attempt number.
 */
export async function writeEntries(
  entries: readonly LedgerEntryRow[],
  kind: 'lines' | 'renumber' | 'calls',
): Promise<Statement[]> {
  if (entries.length === 0) return [];
  const tags = await identify(
    entries.map((entry) => (entry.tags === null ? null : { scope: entry.tenantId, content: entry.tags })),
  );
  const rates = await identify(
    entries.map((entry) => (entry.rates === null ? null : { scope: '', content: entry.rates })),
  );
  const rows = entries.map((entry, index) => ({
    entry,
    tagsId: tags[index]?.id ?? null,
    ratesId: rates[index]?.id ?? null,
  }));
  return [
    ...insertSets('tag_sets', ['id', 'tenant_id', 'tags'], tags, (set) => [set.id, set.scope, set.json]),
    ...insertSets('rate_sets', ['id', 'rates'], rates, (set) => [set.id, set.json]),
    ...insertsOf(rows, kind),
    ...writeRollups(rows),
  ];
}

function insertsOf(rows: readonly Identified[], kind: 'lines' | 'renumber' | 'calls'): Statement[] {
  if (kind === 'renumber') return oneLineEach(rows).map((wave) => insertEntries(wave, RENUMBERED));
  // What tells of a call is its time, and many have the same: their order is all that tells which came first.
  return kind === 'calls' ? insertAlike(rows, OF_CALLS, { inOrder: true }) : insertAlike(rows, OF_LINES);
}

/** Whether a write without `renumber` failed on an attempt number that is taken. */
export function isAttemptTaken(error: unknown): boolean {
  return isConstraintFailure(error, 'ledger_entries.attempt');
}

/** Whether these very entries are there already, with their attempt numbers. */
export async function hasEntries(database: Database, entries: readonly LedgerEntryRow[]): Promise<boolean> {
  const rows = entries.map((entry) => [
    entry.batchId,
    entry.line,
    entry.attempt,
    entry.createdAt,
    entry.target,
    entry.status,
    entry.latencyMs,
  ]);
  const [row] = await database.read({
    sql: `with ${BULK_ROWS}
          select count(*) as count from r cross join ledger_entries e
          where e.batch_id = v ->> 0 and e.line = v ->> 1 and e.attempt = v ->> 2 and e.created_at = v ->> 3
            and e.target = v ->> 4 and e.status = v ->> 5 and e.latency_ms is v ->> 6`,
    args: [bulkRows(rows)],
  });
  return Number(row?.count) === entries.length;
}

type Sets = Awaited<ReturnType<typeof identify>>;

function insertSets(
  table: string,
  columns: readonly string[],
  sets: Sets,
  cells: (set: NonNullable<Sets[number]>) => Cell[],
): Statement[] {
  const distinct = new Map(sets.filter((set) => set !== null).map((set) => [set.id, cells(set)]));
  if (distinct.size === 0) return [];
  const values = columns.map((_, index) => `v ->> ${index}`);
  return [
    {
      sql: `insert into ${table} (${columns}) with ${BULK_ROWS} select ${values} from r where true on conflict (id) do nothing`,
      args: [bulkRows([...distinct.values()])],
    },
  ];
}

function insertEntries(rows: readonly Identified[], { varying, constant, sql }: Insert): Statement {
  const [first] = rows;
  const cells = first === undefined ? [] : constant.map((value) => value(first) as Argument);
  return { sql, args: [bulkRows(rows.map((row) => varying.map((value) => value(row)))), ...cells] };
}

/**
 * The entries in a statement for each set of equal columns: SQLite reads those once, and not from every row's JSON. With
 * `inOrder`, entries that are alike but not neighbours have statements of their own.
 */
function insertAlike(
  rows: readonly Identified[],
  { alike, any }: typeof OF_LINES,
  { inOrder = false } = {},
): Statement[] {
  const groups: Identified[][] = [];
  let current: Identified[] | undefined;
  for (const row of rows) {
    if (current === undefined || !isAlike(alike, current[0], row)) {
      current = inOrder ? undefined : groups.find(([first]) => isAlike(alike, first, row));
      if (current === undefined) {
        current = [];
        groups.push(current);
      }
      if (groups.length > ALIKE_MAX) return [insertEntries(rows, any)];
    }
    current.push(row);
  }
  // A line's attempts keep their order, as the attempt is one of the equal columns.
  const ordered = inOrder
    ? groups
    : groups.toSorted(([left], [right]) => (left?.entry.attempt ?? 0) - (right?.entry.attempt ?? 0));
  return ordered.map((group) => insertEntries(group, alike));
}

function isAlike({ constant }: Insert, left: Identified | undefined, right: Identified): boolean {
  if (left === undefined) return false;
  for (const value of constant) if (value(left) !== value(right)) return false;
  return true;
}

/**
 * The entries in as many statements as a line has entries at most, by attempt: a statement does not see the rows that
 * it adds itself, so two entries of one line would be given the same number.
 */
function oneLineEach(rows: readonly Identified[]): Identified[][] {
  const waves: Identified[][] = [];
  const counts = new Map<string, number>();
  for (const row of rows.toSorted((left, right) => left.entry.attempt - right.entry.attempt)) {
    const line = JSON.stringify([row.entry.batchId, row.entry.line]);
    const count = row.entry.batchId === null || row.entry.line === null ? 0 : (counts.get(line) ?? 0);
    counts.set(line, count + 1);
    const wave = waves[count];
    if (wave === undefined) waves[count] = [row];
    else wave.push(row);
  }
  return waves;
}
