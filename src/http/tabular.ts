import { csvLine } from '../core/csv.ts';
import { exactJson } from '../core/exact-json.ts';
import { escapeLineSeparators } from '../core/jsonl.ts';
import { toByteStream } from './byte-stream.ts';

export const TABLE_FORMATS = ['json', 'csv', 'jsonl'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

const TYPES: Record<TableFormat, string> = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/jsonl',
};

/** The format asked for by `format=`, else the first one that `Accept` names, else JSON. */
export function chooseFormat(asked: TableFormat | undefined, accept: string | undefined): TableFormat {
  if (asked !== undefined) return asked;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const type = range.split(';')[0]?.trim();
    if (type === 'text/csv') return 'csv';
    if (type === 'application/jsonl' || type === 'application/x-ndjson') return 'jsonl';
    if (type === 'application/json' || type === '*/*') return 'json';
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
  const text = format === 'csv' ? csvText(columns, pages) : jsonlText(pages);
  return new Response(toByteStream(encode(text)), {
    headers: { 'content-type': TYPES[format], 'content-disposition': `attachment; filename="${name}.${format}"` },
  });
}

async function* csvText(
  columns: readonly string[],
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): AsyncGenerator<string, void> {
  let text = `${csvLine(columns)}\r\n`;
  for await (const page of pages) {
    for (const row of page) {
      const cells = new Map(Object.entries(row));
      text += `${csvLine(columns.map((column) => cells.get(column)))}\r\n`;
    }
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

async function* jsonlText(
  pages: AsyncIterable<readonly object[]> | Iterable<readonly object[]>,
): AsyncGenerator<string, void> {
  for await (const page of pages) {
    if (page.length > 0) yield page.map((row) => `${escapeLineSeparators(exactJson(row))}\n`).join('');
  }
}

async function* encode(text: AsyncGenerator<string, void>): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  for await (const piece of text) yield encoder.encode(piece);
}
