import { csvLine } from '../core/csv.ts';
import { exactJson } from '../core/exact-json.ts';
import type { ExportColumn } from '../core/export-columns.ts';
import { escapeLineSeparators } from '../core/jsonl.ts';
import { toByteStream } from './byte-stream.ts';
import { parquetBytes } from './parquet.ts';
import { Turn } from './turn.ts';

export const TABLE_FORMATS = ['json', 'csv', 'jsonl'] as const;
/** Of tables whose columns have a type each. */
export const EXPORT_FORMATS = [...TABLE_FORMATS, 'parquet'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const PARQUET_TYPE = 'application/vnd.apache.parquet';
const TYPES: Record<ExportFormat, string> = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/jsonl',
  parquet: PARQUET_TYPE,
};

/** The format asked for by `format=`, else the first of `formats` that `Accept` names, else JSON. */
export function chooseFormat<F extends ExportFormat>(
  formats: readonly F[],
  asked: F | undefined,
  accept: string | undefined,
): F | 'json' {
  if (asked !== undefined) return asked;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const type = range.split(';')[0]?.trim();
    if (type === '*/*') return 'json';
    const named = formats.find((format) => TYPES[format].split(';')[0] === type);
    if (named !== undefined) return named;
    if (type === 'application/x-ndjson') return formats.find((format) => format === 'jsonl') ?? 'json';
  }
  return 'json';
}

export function jsonAnswer(value: unknown): Response {
  return new Response(exactJson(value), { headers: { 'content-type': TYPES.json } });
}

/** Rows as a download, page by page as the client takes them. */
export function tableAnswer(
  format: 'csv' | 'jsonl',
  name: string,
  columns: readonly string[],
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): Response {
  return download(format, name, encode(format === 'csv' ? csvText(columns, pages) : jsonlText(pages)));
}

/** The same with a type for each column, in any format but JSON. */
export function exportAnswer(
  format: Exclude<ExportFormat, 'json'>,
  name: string,
  columns: readonly ExportColumn[],
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): Response {
  if (format === 'parquet') return download(format, name, parquetBytes(columns, pages));
  const names = columns.map((column) => column.name);
  return tableAnswer(format, name, names, pages);
}

function download(format: ExportFormat, name: string, bytes: AsyncGenerator<Uint8Array, void>): Response {
  return new Response(toByteStream(bytes), {
    headers: { 'content-type': TYPES[format], 'content-disposition': `attachment; filename="${name}.${format}"` },
  });
}

async function* csvText(
  columns: readonly string[],
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): AsyncGenerator<string, void> {
  yield `${csvLine(columns)}\r\n`;
  const cells: unknown[] = [];
  yield* rowTexts(pages, (row) => {
    for (let at = 0; at < columns.length; at++) {
      const name = columns[at] ?? '';
      cells[at] = Object.hasOwn(row, name) ? row[name as keyof typeof row] : null;
    }
    return `${csvLine(cells)}\r\n`;
  });
}

function jsonlText(
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): AsyncGenerator<string, void> {
  return rowTexts(pages, (row) => `${escapeLineSeparators(exactJson(row))}\n`);
}

/** The texts of rows in pieces, each of which keeps everything else waiting for a few milliseconds only. */
async function* rowTexts(
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
  textOf: (row: object) => string,
): AsyncGenerator<string, void> {
  const turn = new Turn();
  for await (const page of pages) {
    // A page that was read from the database has let others have their turns.
    turn.begin();
    let text = '';
    for (const row of page) {
      text += textOf(row);
      if (!turn.isLong) continue;
      yield text;
      text = '';
      await turn.yield();
    }
    if (text !== '') yield text;
  }
}

async function* encode(text: AsyncGenerator<string, void>): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  for await (const piece of text) yield encoder.encode(piece);
}
