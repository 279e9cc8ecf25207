import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { exactJson } from '../core/exact-json.ts';
import type { ExportColumn } from '../core/export-columns.ts';
import { parseUsdToNano } from '../core/money.ts';
import type { ColumnType } from '../protocol/ledger-export.ts';
import { Turn } from './turn.ts';

type SchemaElement = ParquetWriter['schema'][number];

/**
 * Rows of a row group, all of which are in memory at once; so is, until the file ends, what the end says of each column of
 * each group: some 40 KB a group.
 */
const groupRows = 10_000;
/** Characters of text in a row group, where rows are long. */
const groupCharacters = 24 * 1024 * 1024;

const ELEMENTS: Record<ColumnType, Omit<SchemaElement, 'name'>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  int64: { type: 'INT64' },
  boolean: { type: 'BOOLEAN' },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  decimal: {
    type: 'INT64',
    converted_type: 'DECIMAL',
    logical_type: { type: 'DECIMAL', precision: 18, scale: 9 },
    precision: 18,
    scale: 9,
  },
  json: { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } },
};

/** A value as the writer takes it for its type; money that is written as a decimal stays an exact integer. */
const ENCODE: Record<ColumnType, (value: unknown) => unknown> = {
  string: String,
  int64: (value) => BigInt(value as number | bigint),
  boolean: Boolean,
  timestamp: (value) => BigInt(value as number) * 1000n,
  decimal: (value) => parseUsdToNano(value as string),
  json: exactJson,
};

/**
 * A Parquet file (Snappy) of rows that come page by page: one column of a row group at a time, as soon as it is encoded.
 * Memory holds one row group, however many rows there are.
 */
export async function* parquetBytes(
  columns: readonly ExportColumn[],
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): AsyncGenerator<Uint8Array, void> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const bytes = new ByteWriter();
  // JSON is text already: the writer would serialise it again if it knew, so that only the file's end says what it is.
  const asText = columns.map((column) => (column.type === 'json' ? { ...column, type: 'string' as const } : column));
  const file = new ParquetWriter({ writer: bytes, schema: schemaOf(asText), createdBy: 'weir' });
  let group = emptyGroup(columns);
  for await (const page of pages) {
    for (const row of page) {
      addRow(group, row);
      if (group.rows < groupRows && group.characters < groupCharacters) continue;
      yield* encodeGroup(file, bytes, group);
      group = emptyGroup(columns);
    }
  }
  if (group.rows > 0) yield* encodeGroup(file, bytes, group);
  file.schema = schemaOf(columns);
  await file.finish();
  yield take(bytes);
}

/** Rows, column by column. */
interface Group {
  rows: number;
  characters: number;
  columns: { name: string; type: ColumnType; data: unknown[] }[];
}

function emptyGroup(columns: readonly ExportColumn[]): Group {
  return { rows: 0, characters: 0, columns: columns.map(({ name, type }) => ({ name, type, data: [] })) };
}

function addRow(group: Group, row: object): void {
  const cells = new Map<string, unknown>(Object.entries(row));
  group.rows += 1;
  for (const { name, type, data } of group.columns) {
    const value = cells.get(name) ?? null;
    const cell = value === null ? null : ENCODE[type](value);
    data.push(cell);
    if (typeof cell === 'string') group.characters += cell.length;
  }
}

/**
 * The writer knows whole row groups only and encodes one in one go, which takes too long: it gets the columns one by one,
 * and the groups of one column each that it notes for them become the one group that they are.
 */
async function* encodeGroup(
  file: ParquetWriter,
  bytes: ByteWriter,
  { rows, columns }: Group,
): AsyncGenerator<Uint8Array, void> {
  const groupsBefore = file.row_groups.length;
  const rowsBefore = file.num_rows;
  const turn = new Turn();
  for (const { name, type, data } of columns) {
    // Bounds let a reader skip groups by time, line or amount; those of text would fill the file's end.
    const statistics = type !== 'string' && type !== 'json';
    await file.write({ columnData: [{ name, data, statistics, offsetIndex: false }], rowGroupSize: rows });
    yield take(bytes);
    if (turn.isLong) await turn.yield();
  }
  const groups = file.row_groups.splice(groupsBefore);
  file.num_rows = rowsBefore + BigInt(rows);
  file.row_groups.push({
    columns: groups.flatMap((group) => group.columns),
    num_rows: BigInt(rows),
    total_byte_size: groups.reduce((total, group) => total + group.total_byte_size, 0n),
    total_compressed_size: groups.reduce((total, group) => total + (group.total_compressed_size ?? 0n), 0n),
  });
}

function schemaOf(columns: readonly ExportColumn[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(
      ({ name, type, nullable }): SchemaElement => ({
        name,
        ...ELEMENTS[type],
        repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED',
      }),
    ),
  ];
}

/** What was written since the last time; the writer's buffer is used again. */
function take(bytes: ByteWriter): Uint8Array {
  const taken = bytes.getBytes().slice();
  bytes.index = 0;
  return taken;
}
