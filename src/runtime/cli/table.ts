import type { Paint } from './paint.ts';
import { columnsOf, cut, printable } from './printable.ts';

export interface Column {
  header: string;
  align?: 'left' | 'right';
  /** Columns below which the cells are not cut; absent: the cells are never cut. */
  least?: number;
}

export interface TableOptions {
  /** Columns the whole table may take. */
  width: number;
  paint: Paint;
  /** The last row is a total: a rule comes before it. */
  hasTotal?: boolean;
}

const GAP = 2;

/**
 * Lays rows of plain text out as lines of at most `width` columns. Cells are made printable here. When the table is too
 * wide, the widest column that may be cut gives way first.
 */
export function layTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string[] {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')));
  const widths = shareWidth(columns, naturalWidths(columns, cells), options.width);
  const { paint } = options;
  const layRow = (row: readonly string[]): string =>
    columns
      .map((column, index) => layCell(row[index] ?? '', widths[index] ?? 0, column.align ?? 'left'))
      .join(' '.repeat(GAP))
      .trimEnd();
  const lines = cells.map(layRow);
  const header = paint.bold(layRow(columns.map((column) => column.header)));
  const last = lines.at(-1);
  if (options.hasTotal !== true || last === undefined) return [header, ...lines];
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP * (columns.length - 1);
  return [header, ...lines.slice(0, -1), paint.dim('─'.repeat(total)), last];
}

function layCell(text: string, width: number, align: 'left' | 'right'): string {
  const fitted = cut(text, width);
  const space = ' '.repeat(Math.max(0, width - columnsOf(fitted)));
  return align === 'right' ? space + fitted : fitted + space;
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map(({ header }, index) =>
    rows.reduce((most, row) => Math.max(most, columnsOf(row[index] ?? '')), columnsOf(header)),
  );
}

function shareWidth(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const room = width - GAP * (columns.length - 1);
  for (;;) {
    const excess = widths.reduce((sum, value) => sum + value, 0) - room;
    if (excess <= 0) return widths;
    let widest = -1;
    for (const [index, { least }] of columns.entries()) {
      if (least === undefined || (widths[index] ?? 0) <= least) continue;
      if (widest < 0 || (widths[index] ?? 0) > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** `name: value` lines with the values below each other; values are made printable and cut to the width. */
export function layPairs(pairs: readonly (readonly [string, string])[], options: TableOptions): string[] {
  const label = Math.max(...pairs.map(([name]) => columnsOf(name))) + 1;
  return pairs.map(([name, value]) => {
    const text = cut(printable(value), Math.max(10, options.width - label - 1));
    return `${options.paint.dim(`${name}:`.padEnd(label))} ${text}`;
  });
}
