/** Billing exports as lines of a bill: AWS (CUR), Google Cloud, Azure, and a plain form for everything else. */
import { type BillFormat, billFormats } from './billing-formats.ts';
import { parseAtto } from './exact-usd.ts';
import type { BilledRow } from './reconcile.ts';

export interface BillReader {
  format: string;
  /** The line of the bill in a row; null for rows that are about other services. Problems name line, column and remedy. */
  read(cells: readonly string[], line: number): BilledRow | null | { problem: string };
}

/** What reads the rows below this header, or why none can. */
export function openBill(header: readonly string[]): BillReader | { problem: string } {
  const names = header.map((name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
  const found = billFormats.find(({ sign }) => sign.every((column) => names.includes(column)));
  if (found === undefined) {
    const known = billFormats.map(({ name, signShown }) => `${name} (${signShown})`).join('; ');
    return { problem: `line 1: these columns are of no billing export that is known. Known are: ${known}.` };
  }
  const missing = found.needs.filter((any) => !any.some((column) => names.includes(column)));
  if (missing.length > 0) {
    const columns = missing.map((any) => any.join(' or ')).join(', ');
    return {
      problem: `line 1: this looks like ${found.name}, but has no column ${columns}. Export it with that column.`,
    };
  }
  return { format: found.name, read: (cells, line) => readRow(found, names, cells, line) };
}

function readRow(
  format: BillFormat,
  names: readonly string[],
  cells: readonly string[],
  line: number,
): ReturnType<BillReader['read']> {
  const byName = new Map<string, string>();
  for (const [index, name] of names.entries()) if (!byName.has(name)) byName.set(name, cells[index]?.trim() ?? '');
  const get = (...columns: string[]): string => {
    for (const column of columns) if (byName.get(column)) return byName.get(column) ?? '';
    return '';
  };
  if (!format.isOurs(get)) return null;
  const problem = (text: string) => ({ problem: `line ${line}: ${text}` });
  const dayText = get(...format.day);
  const day = readDay(dayText);
  if (day === null)
    return problem(`${format.day[0]} must be a date such as 2026-01-31, not '${dayText.slice(0, 40)}'.`);
  const currency = format.currency(get);
  if (currency !== '' && currency.toUpperCase() !== 'USD') {
    return problem(`the amount is in ${currency.slice(0, 8)}. Export it in USD; the ledger is kept in USD.`);
  }
  const amountText = get(...format.amount);
  const amountAtto = amountText === '' ? null : parseAtto(amountText);
  if (amountText !== '' && amountAtto === null) {
    return problem(
      `${format.amount[0]} must be a number, not '${amountText.slice(0, 40)}'. Write it as 1234.56: no currency sign, no separator of thousands.`,
    );
  }
  const tokens = format.tokens(get);
  if (tokens === 'unreadable') return problem('the number of tokens cannot be read as a whole number.');
  const model = format.model(get);
  return { day, model: model === '' ? '(no model)' : model, amountAtto, ...tokens };
}

/** `2026-01-31`, with or without a time (UTC), or Azure's `01/31/2026`; Unix seconds of the UTC day. */
function readDay(text: string): number | null {
  const iso = /^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$/.exec(text);
  const american = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text);
  const [year, month, date] = iso ? iso.slice(1) : american ? [american[3], american[1], american[2]] : [];
  if (year === undefined) return null;
  const at = Date.parse(`${year}-${month}-${date}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).getUTCDate() !== Number(date) ? null : at / 1000;
}
