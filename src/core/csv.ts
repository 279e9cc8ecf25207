/**
 * Text that a spreadsheet may run: one that starts with a sign of a formula, also a full-width one or behind blanks, or
 * with what programs drop before they look. Text with apostrophes before that counts, so that what `csvLine` does can be
 * undone: the first apostrophe of a cell that this finds was put there.
 */
const FORMULA = /^'*(?:[\t\r\n\0]|\s*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20])/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/**
 * One line of CSV (RFC 4180) without its line end. Text that a spreadsheet may run as a formula gets an apostrophe before
 * it, as OWASP advises. Numbers stay numbers.
 */
export function csvLine(cells: readonly unknown[]): string {
  return cells.map(csvCell).join(',');
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return quote(JSON.stringify(value));
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') throw new TypeError(`no cell can hold a ${typeof value}`);
  const isFormula = FORMULA.test(value) && !NUMBER.test(value);
  return quote(isFormula ? `'${value}` : value);
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
