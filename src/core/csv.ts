/**
 * One line of CSV (RFC 4180) without its line end. Spreadsheets run a cell that starts with `=`, `+`, `-`, `@`, tab or
 * return as a formula: such text gets an apostrophe before it. Numbers stay numbers.
 */
export function csvLine(cells: readonly unknown[]): string {
  return cells.map(csvCell).join(',');
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return quote(JSON.stringify(value));
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') throw new TypeError(`no cell can hold a ${typeof value}`);
  const isFormula = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value);
  return quote(isFormula ? `'${value}` : value);
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
