/**
 * What SQLite text can hold. A lone surrogate that reached the database inside JSON comes back as bytes that are not
 * UTF-8, which ends the process in the embedded client; text is cut off at U+0000. Both are replaced by U+FFFD. Where
 * the exact text matters, it is stored as JSON, whose escapes are plain ASCII.
 */
export function storableText(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', '\ufffd') : wellFormed;
}

/** A value of a bulk insert's row. An object is stored as its JSON. */
export type Cell = string | number | boolean | null | object;

/**
 * Rows as one JSON parameter, so that one statement inserts any number of them. Read it with BULK_ROWS and
 * `v ->> <index>`.
 */
export function bulkRows(rows: readonly (readonly Cell[])[]): string {
  return JSON.stringify(rows.map((row) => (row.every(isStorable) ? row : row.map(storable))));
}

function isStorable(cell: Cell): boolean {
  return typeof cell !== 'string' || storableText(cell) === cell;
}

function storable(cell: Cell): Cell {
  return typeof cell === 'string' ? storableText(cell) : cell;
}

/** Materialized, as json_each would otherwise write each row's JSON anew for every column read from it (measured: 3×). */
export const BULK_ROWS = 'r as materialized (select value as v from json_each(?))';

/**
 * Constants of the code as SQL literals, `'a', 'b'`. A partial index serves only queries that spell its condition out.
 */
export function literalList(constants: readonly string[]): string {
  return constants.map((constant) => `'${constant}'`).join(', ');
}
